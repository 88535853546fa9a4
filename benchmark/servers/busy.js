import { answer } from './control.js'
import cpuWork from './cpu-work.js'

/** Keeps one core busy: what a thread does to all others on a machine with few cores. */
function keepBusy () {
  cpuWork({ ms: 50 })
  setImmediate(keepBusy)
}

answer({
  exit () {
    setImmediate(() => process.exit())
  }
})
keepBusy()
process.send({ port: 0 })
