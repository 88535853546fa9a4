const log = document.getElementById('log')
const MAX_LINES = 12

/** Sends a request, and says what came back and after how long. */
async function send (method, path, init = {}) {
  const started = performance.now()
  const answer = await fetch(path, { method, ...init }).then(({ status }) => status, () => 'hung up')
  return { line: `${method} /${path}`, answer, ms: Math.round(performance.now() - started) }
}

function post (path, body) {
  return send('POST', path, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

function show ({ line, answer, ms }) {
  const item = document.createElement('li')
  item.textContent = `${line} → ${answer} after ${ms} ms`
  log.prepend(item)
  while (log.children.length > MAX_LINES) log.lastChild.remove()
}

const email = () => `ann-${Math.random().toString(36).slice(2, 7)}@example.com`

const requests = {
  signup: () => post('signup', { email: email() }),
  upload: () => send('POST', 'uploads', {
    headers: { 'content-type': 'application/octet-stream' }, body: 'All work and no play.\n'.repeat(50_000)
  }),
  order: () => post('orders', { item: 'teapot', email: email() }),
  report: () => post('reports', { year: 2026 }),
  hangUp: () => send('GET', 'slow', { signal: AbortSignal.timeout(200) }),
  async burst () {
    const started = performance.now()
    const sent = await Promise.all(Array.from({ length: 200 }, () => post('signup', { email: email() })))
    const answered = sent.filter(({ answer }) => answer === 201).length
    return { line: '200 x POST /signup', answer: `${answered} x 201`, ms: Math.round(performance.now() - started) }
  }
}

document.getElementById('requests').addEventListener('click', async ({ target }) => {
  const name = target.dataset.send
  if (name !== undefined) show(await requests[name]())
})
