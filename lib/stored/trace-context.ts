import { loadOpenTelemetry } from '../base/modules.cjs'

let api: Awaited<ReturnType<typeof loadOpenTelemetry>>

/** OpenTelemetry is there or not: it is the app's choice. */
export async function loadTraceContext (): Promise<void> {
  api = await loadOpenTelemetry()
}

/** The trace that goes on here, to be kept with a stored task. */
export function captureTrace (): Record<string, string> | undefined {
  const carrier: Record<string, string> = {}
  api?.propagation.inject(api.context.active(), carrier)
  return Object.keys(carrier).length === 0 ? undefined : carrier
}

/** Calls the function as part of a trace that was kept. */
export function withTrace<Value> (carrier: Readonly<Record<string, string>> | undefined, fn: () => Value): Value {
  if (api === undefined || carrier === undefined) return fn()
  return api.context.with(api.propagation.extract(api.context.active(), carrier), fn)
}
