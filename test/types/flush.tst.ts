import { expect, test } from 'tstyche'
import type {
  AppBackgroundTasks, Engine, EngineAddOptions, FlushOptions, RequestBackgroundTasks, StoredTask, Task, TransactionClient
} from '../../index.js'
import type commonjs from '../../lib/commonjs.cjs'

/** The `query` of pg, as the types of pg have it. */
interface PgClient {
  query<T extends { submit: () => void }> (queryStream: T): T
  query<R extends unknown[] = any[], I = any[]> (queryConfig: { text: string, values?: I, rowMode: 'array' }): Promise<{ rows: R[], rowCount: number | null }>
  query<R extends object = any, I = any[]> (queryTextOrConfig: string | { text: string }, values?: I): Promise<{ rows: R[], rowCount: number | null }>
  query<R extends object = any, I = any[]> (queryText: string, values: I, callback: (error: Error, result: { rows: R[] }) => void): void
  release (): void
}

declare const request: RequestBackgroundTasks
declare const app: AppBackgroundTasks
declare const pg: PgClient

test('flush', () => {
  for (const tasks of [request, app]) {
    expect(tasks.flush).type.toBe<(options?: FlushOptions) => Promise<void>>()
    expect(tasks.flush).type.toBeCallableWith()
    expect(tasks.flush).type.toBeCallableWith({})
    expect(tasks.flush).type.toBeCallableWith({ client: pg })
    expect(tasks.flush).type.toBeCallableWith({ client: { query: async (text: string, values: unknown[]) => ({ rows: [text, ...values] }) } })
    expect(tasks.flush).type.toBeCallableWith({ client: pg, tasks: [tasks.add(() => 42)] })
    expect(tasks.flush).type.not.toBeCallableWith({ tasks: [{}] })
    expect(tasks.flush).type.not.toBeCallableWith({ client: {} })
    expect(tasks.flush).type.not.toBeCallableWith({ client: { query: async () => [] } })
    expect(tasks.flush).type.not.toBeCallableWith({ transaction: pg })
    expect(tasks.flush).type.not.toBeCallableWith(pg)
  }
  expect<FlushOptions>().type.toBe<{ client?: TransactionClient, tasks?: ReadonlyArray<Task<any>> }>()
})

test('the contract of engines', () => {
  expect<Engine['transactional']>().type.toBe<boolean | undefined>()
  expect<Engine['add']>().type.toBe<(tasks: StoredTask[], options?: EngineAddOptions) => Promise<string[]>>()
  expect<Engine['add']>().type.toBeAssignableFrom<(tasks: StoredTask[]) => Promise<string[]>>()
  expect<EngineAddOptions>().type.toBe<{ readonly client: TransactionClient }>()
})

test('require has the same types', () => {
  expect<commonjs.FlushOptions>().type.toBe<FlushOptions>()
  expect<commonjs.EngineAddOptions>().type.toBe<EngineAddOptions>()
  expect<commonjs.TransactionClient>().type.toBe<TransactionClient>()
})
