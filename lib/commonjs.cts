import * as entry from '../index.js'
import type * as types from '../types/index.js'

/** The export for `require`: the plugin itself, as with other Fastify plugins. The named exports are its properties. */
const backgroundTasks = Object.assign(entry.backgroundTasks, entry)

declare namespace backgroundTasks {
  export type AppBackgroundTasks = types.AppBackgroundTasks
  export type Around = types.Around
  export type BackgroundTasksOptions = types.BackgroundTasksOptions
  export type Engine = types.Engine
  export type EngineAddOptions = types.EngineAddOptions
  export type EngineHost = types.EngineHost
  export type EnginePage = types.EnginePage
  export type EngineQuery = types.EngineQuery
  export type FileTaskDefinition<P extends types.Schema = types.Schema, R extends types.Schema = types.Schema> = types.FileTaskDefinition<P, R>
  export type FlushOptions = types.FlushOptions
  export type HandlerTaskDefinition<P extends types.Schema = types.Schema, R extends types.Schema = types.Schema> = types.HandlerTaskDefinition<P, R>
  export type IdleOptions = types.IdleOptions
  export type ListedTask = types.ListedTask
  export type NamedTask<P = any, R = any> = types.NamedTask<P, R>
  export type NamedTaskOptions = types.NamedTaskOptions
  export type RequestBackgroundTasks = types.RequestBackgroundTasks
  export type ResponseEnd = types.ResponseEnd
  export type ResponseMessage = types.ResponseMessage
  export type RetryOptions = types.RetryOptions
  export type RouteTaskOptions = types.RouteTaskOptions
  export type RunControl = types.RunControl
  export type RunOutcome = types.RunOutcome
  export type ScheduleSnapshot = types.ScheduleSnapshot
  export type Schema = types.Schema
  export type SharedTaskOptions = types.SharedTaskOptions
  export type StoredCounts = types.StoredCounts
  export type StoredPayload = types.StoredPayload
  export type StoredRetry = types.StoredRetry
  export type StoredSnapshot = types.StoredSnapshot
  export type StoredTask = types.StoredTask
  export type Task<Result = unknown> = types.Task<Result>
  export type TaskAdder = types.TaskAdder
  export type TaskCounts = types.TaskCounts
  export type TaskDeclarationDefinition<P extends types.Schema = types.Schema, R extends types.Schema = types.Schema> = types.TaskDeclarationDefinition<P, R>
  export type TaskDefinition<P extends types.Schema = types.Schema, R extends types.Schema = types.Schema> = types.TaskDefinition<P, R>
  export type TaskDefinitionBase<P extends types.Schema = types.Schema, R extends types.Schema = types.Schema> = types.TaskDefinitionBase<P, R>
  export type TaskErrorSnapshot = types.TaskErrorSnapshot
  export type TaskImplementation<P = any, R = any> = types.TaskImplementation<P, R>
  export type TaskMessage = types.TaskMessage
  export type TaskOptions = types.TaskOptions
  export type TaskPage = types.TaskPage
  export type TaskQuery = types.TaskQuery
  export type TaskSchedule<P = any> = types.TaskSchedule<P>
  export type TaskSnapshot = types.TaskSnapshot
  export type TaskState = types.TaskState
  export type TaskStats = types.TaskStats
  export type ThreadOptions = types.ThreadOptions
  export type ThreadTask = types.ThreadTask
  export type TransactionClient = types.TransactionClient
  export type ValueOf<S> = types.ValueOf<S>
  export type WaitUntilOptions = types.WaitUntilOptions
  export type When = types.When
}

export = backgroundTasks
