import type { Test } from 'tap'
import { type Checks, type Names, completed } from '../../support/snippet-names.js'
import { until } from '../../support/until.js'

async function checkout (t: Test, { app, greetings }: Names): Promise<string> {
  const response = await app.inject({ method: 'POST', url: '/checkout' })
  t.equal(response.statusCode, 202)
  await until(() => greetings.length > 0)
  t.same(greetings, ['invoice for ann@example.com'])
  return response.json().id
}

async function checkoutHere (t: Test, names: Names): Promise<void> {
  t.match(await completed(names.app, await checkout(t, names)), { name: 'invoice' })
}

export const fastapi: Checks = {
  async After (t, { app, greetings }) {
    t.same((await app.inject({ method: 'POST', url: '/welcome?email=ann@example.com' })).json(), { welcome: 'ann@example.com' })
    await app.backgroundTasks.idle()
    t.same(greetings, ['welcome, ann@example.com, in de'])
  }
}

export const celery: Checks = { After: checkoutHere }

export const bullmq: Checks = {
  async Before (t, names) { t.match(await checkout(t, names), /^\d+$/) },
  After: checkoutHere
}

export const nextAfter: Checks = {
  async After (t, { app, calls, sentTo }) {
    t.equal((await app.inject({ method: 'POST', url: '/welcome', payload: { email: 'ann@example.com' } })).statusCode, 201)
    await app.backgroundTasks.idle()
    t.same(sentTo, ['ann@example.com'])
    t.same(calls, [['tellCrm', 'ann@example.com']])
  }
}
