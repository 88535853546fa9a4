// Plain JavaScript, so that the process measured runs what node runs in production and no transform of ours.

async function runLogged (log, fn, args) {
  try {
    await fn(...args)
  } catch (error) {
    log.error(error)
  }
}

async function drainList (request) {
  for (const { fn, args } of request.taskList) {
    try {
      await fn(...args)
    } catch (error) {
      request.log.error(error)
    }
  }
}

/** What people write by hand: an array on the request, drained by a callback onResponse hook. */
function handWrittenList (app) {
  app.decorateRequest('taskList', null)
  app.addHook('onResponse', (request, reply, done) => {
    done()
    if (request.taskList !== null) drainList(request)
  })
  return function add (request, fn, ...args) {
    request.taskList ??= []
    request.taskList.push({ fn, args })
  }
}

/** Fire and forget. It keeps the request's logger and not the request, which is the kindest form of it. */
function fireAndForget () {
  return function add ({ log }, fn, ...args) {
    setImmediate(runLogged, log, fn, args)
  }
}

async function thisPlugin (app, { pluginUrl, dashboard }) {
  const { default: backgroundTasks } = await import(pluginUrl)
  await app.register(backgroundTasks)
  if (dashboard) {
    const { default: page } = await import(new URL('lib/dashboard.js', pluginUrl))
    await app.register(page, { prefix: '/background-tasks', onRequest: (request, reply, done) => done() })
  }
  return function add (request, fn, ...args) {
    request.backgroundTasks.add(fn, ...args)
  }
}

const ways = { bare: () => undefined, list: handWrittenList, immediate: fireAndForget, plugin: thisPlugin }

/** Makes the app run tasks in the way asked for and gives the function that adds one. */
export async function prepareWay (app, spec) {
  return await ways[spec.way](app, spec)
}
