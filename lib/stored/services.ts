import { memoryEngine } from '../engines/memory/memory-engine.js'
import { Registry } from '../named/registry.js'
import type { ResolvedOptions } from '../options/plugin-options.js'
import { Executor } from '../run/executor.js'
import { Report } from '../run/report.js'
import { Admission } from '../task/admission.js'
import { Census } from '../task/census.js'
import { History } from '../task/history.js'
import { EngineClient } from './engine-client.js'
import { Schedules } from './schedule.js'

/** The objects that an app has one of. All its lists share them. */
export interface Services {
  readonly census: Census
  readonly history: History
  readonly admission: Admission
  readonly report: Report
  readonly executor: Executor
  readonly registry: Registry
  readonly client: EngineClient
  readonly schedules: Schedules
}

export function createServices (options: ResolvedOptions): Services {
  const { concurrency, engine = memoryEngine(), history: limit, onError, route } = options
  const census = new Census()
  const history = new History(limit)
  const admission = new Admission(census, options)
  const report = new Report(census, onError)
  const executor = new Executor(census, history, report, concurrency)
  const registry = new Registry(route, (name, payload) => admission.checkPayload(name, payload))
  const client = new EngineClient(engine, { census, history, executor }, options)
  const schedules = new Schedules(registry, history)
  return { census, history, admission, report, executor, registry, client, schedules }
}
