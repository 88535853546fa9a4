import { loadOpenTelemetry } from '../base/modules.cjs'

let api: Awaited<ReturnType<typeof loadOpenTelemetry>>

/** Loads OpenTelemetry, if the app has installed it. */
export async function loadTraceContext (): Promise<void> {
  api = await loadOpenTelemetry()
}

/** The active trace, as headers that a stored task keeps. */
export function captureTrace (): Record<string, string> | undefined {
  const carrier: Record<string, string> = {}
  api?.propagation.inject(api.context.active(), carrier)
  return Object.keys(carrier).length === 0 ? undefined : carrier
}

/** Calls the function inside the trace of a stored task. */
export function withTrace<Value> (carrier: Readonly<Record<string, string>> | undefined, fn: () => Value): Value {
  if (api === undefined || carrier === undefined) return fn()
  return api.context.with(api.propagation.extract(api.context.active(), carrier), fn)
}
