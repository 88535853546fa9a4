import type { OutgoingHttpHeaders } from 'node:http'
import t from 'tap'
import { type Scene, createScene, prefix, send } from '../support/dashboard.js'
import { portOf } from '../support/transports.js'

const good = { 'content-type': 'application/json', 'x-background-tasks': '1' }

/** `HOST` stands for the address of the app. */
const matrix: Array<[title: string, headers: OutgoingHttpHeaders, isAccepted: boolean]> = [
  ['all headers', { ...good, 'sec-fetch-site': 'same-origin', origin: 'http://HOST' }, true],
  ['sec-fetch-site alone', { ...good, 'sec-fetch-site': 'same-origin' }, true],
  ['origin alone, as over plain http', { ...good, origin: 'http://HOST' }, true],
  ['an origin of https, as behind a proxy that ends it', { ...good, origin: 'https://HOST' }, true],
  ['parameters of the type', { ...good, 'content-type': 'application/json; charset=utf-8', origin: 'http://HOST' }, true],
  ['the type in capitals', { ...good, 'content-type': 'Application/JSON', origin: 'http://HOST' }, true],
  ['neither sec-fetch-site nor origin', good, false],
  ['sec-fetch-site cross-site', { ...good, 'sec-fetch-site': 'cross-site', origin: 'http://HOST' }, false],
  ['sec-fetch-site same-site', { ...good, 'sec-fetch-site': 'same-site', origin: 'http://HOST' }, false],
  ['sec-fetch-site none', { ...good, 'sec-fetch-site': 'none', origin: 'http://HOST' }, false],
  ['sec-fetch-site twice', { ...good, 'sec-fetch-site': ['cross-site', 'same-origin'], origin: 'http://HOST' }, false],
  ['an empty sec-fetch-site', { ...good, 'sec-fetch-site': '', origin: 'http://HOST' }, false],
  ['another origin', { ...good, origin: 'http://evil.example' }, false],
  ['another port', { ...good, origin: 'http://127.0.0.1:1' }, false],
  ['an origin that only begins like the host', { ...good, origin: 'http://HOST.evil.example' }, false],
  ['an origin with the host as its user', { ...good, origin: 'http://HOST@evil.example' }, false],
  ['the origin null', { ...good, origin: 'null' }, false],
  ['an origin that is no URL', { ...good, origin: 'HOST' }, false],
  ['an origin of a file', { ...good, origin: 'file:///index.html' }, false],
  ['no mark', { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }, false],
  ['another mark', { ...good, 'x-background-tasks': 'true', 'sec-fetch-site': 'same-origin' }, false],
  ['no type', { 'x-background-tasks': '1', 'sec-fetch-site': 'same-origin' }, false],
  ['the type of a form', { ...good, 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }, false],
  ['the type of a text', { ...good, 'content-type': 'text/plain', 'sec-fetch-site': 'same-origin' }, false],
  ['a type that only begins like JSON', { ...good, 'content-type': 'application/jsonp', 'sec-fetch-site': 'same-origin' }, false],
  ['JSON as a parameter', { ...good, 'content-type': 'text/plain; application/json', 'sec-fetch-site': 'same-origin' }, false]
]

function replace (headers: OutgoingHttpHeaders, host: string): OutgoingHttpHeaders {
  return JSON.parse(JSON.stringify(headers).replaceAll('HOST', host))
}

for (const action of ['retry', 'cancel']) {
  t.test(`${action} is for the page alone`, async (t) => {
    const { app, ask } = await createScene(t, { dashboard: { actions: true } })
    const host = `127.0.0.1:${await portOf(app)}`
    for (const [title, headers, isAccepted] of matrix) {
      const { status, body } = await ask(`/tasks/none/${action}`, { method: 'POST', headers: replace(headers, host) }, '{}')
      t.equal(status, isAccepted ? 404 : 403, title)
      t.equal(JSON.parse(body).message, isAccepted ? 'there is no such task' : 'only the page of the dashboard may do this')
    }
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { body } = await ask(`/tasks/none/${action}`, { method, headers: { 'x-background-tasks': '1', 'sec-fetch-site': 'same-origin' } })
      t.equal(JSON.parse(body).message, 'there is no such page', method)
    }
  })
}

t.test('the host of a proxy counts only with trustProxy', async (t) => {
  const headers = { ...good, host: 'inside:1', 'x-forwarded-host': 'Outside.example', origin: 'https://outside.example' }
  for (const trustProxy of [true, false]) {
    const { ask } = await createScene(t, { dashboard: { actions: true }, server: { trustProxy } })
    t.equal((await ask('/tasks/none/retry', { method: 'POST', headers }, '{}')).status, trustProxy ? 404 : 403)
  }
})

/** Tries to cancel a running task, and tells whether it could. */
async function tryCancel (scene: Scene, headers: OutgoingHttpHeaders): Promise<boolean> {
  const task = scene.app.backgroundTasks.add({}, (task) => new Promise((resolve) => { task.signal.onabort = resolve }))
  await scene.ask(`/tasks/${task.id}/cancel`, { method: 'POST', headers }, '{}')
  const { state } = task
  task.cancel()
  return state === 'cancelled'
}

t.test('a refused request changes nothing', async (t) => {
  const scene = await createScene(t, { dashboard: { actions: true } })
  t.ok(await tryCancel(scene, { ...good, 'sec-fetch-site': 'same-origin' }))
  t.notOk(await tryCancel(scene, { ...good, 'sec-fetch-site': 'cross-site' }))
  t.notOk(await tryCancel(scene, { ...good, 'content-type': 'text/plain', 'sec-fetch-site': 'same-origin' }))
})

t.test('an empty body is refused, whatever its headers', async (t) => {
  const { app } = await createScene(t, { dashboard: { actions: true } })
  t.equal((await send(app, `${prefix}/tasks/none/retry`, { method: 'POST', headers: { ...good, 'sec-fetch-site': 'same-origin' } })).status, 400)
})
