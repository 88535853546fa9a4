import { cpus } from 'node:os'
import { withoutRedis } from '../test/support/redis.js'
import { budgetTable, budgetVerdicts, type Measured } from './budgets.js'
import { pluginUrl as findPlugin } from './build.js'
import { cpuTable, measureCpu } from './cpu.js'
import { measureCpuTasks } from './cpu-tasks.js'
import { measureFairness } from './fairness.js'
import { dashboardTable, measureDashboard, soakLine } from './dashboard.js'
import { readFlags, usage, type Flags } from './flags.js'
import { heapTable, measureHeap } from './heap.js'
import { othersTable } from './others.js'
import { latencyTable, measureStored, storedTable } from './stored.js'
import { measureWorker, workerTable } from './stored-worker.js'

function progress (text: string): void {
  process.stderr.write(`${text}\n`)
}

async function run (flags: Flags): Promise<void> {
  const { parts, variants, rounds, requests, seconds } = flags
  const pluginUrl = findPlugin(flags)
  const measured: Measured = {}
  console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`)

  if (parts.has('cpu')) {
    measured.cpu = await measureCpu({ variants, rounds, requests, pluginUrl, onRound: round => progress(`cpu: round ${round} of ${rounds}`) })
    console.log(`\nServer CPU per request, ${rounds} rounds of ${requests} requests: median, with the spread of the rounds\n`)
    console.log(cpuTable(variants, measured.cpu))
  }
  if (parts.has('heap')) {
    progress('heap')
    measured.heap = await measureHeap(pluginUrl)
    console.log(`\n${heapTable(measured.heap)}`)
  }
  if (parts.has('fairness')) {
    const runs = Math.ceil(rounds / 2)
    measured.fairness = await measureFairness({ runs, seconds, pluginUrl, onRun: run => progress(`fairness: run ${run} of ${runs}`) })
    console.log(`\nBursts of 10 requests every 0.5 s, each adding 20 tasks that block 1 ms; median of ${runs} runs\n`)
    console.log(othersTable(measured.fairness))
  }
  if (parts.has('cpu-tasks')) {
    const runs = Math.ceil(rounds / 2)
    measured.cpuTasks = await measureCpuTasks({ runs, seconds, pluginUrl, onRun: run => progress(`cpu-tasks: run ${run} of ${runs}`) })
    console.log(`\n20 tasks of 50 ms of CPU queued again and again; median of ${runs} runs\n`)
    console.log(othersTable(measured.cpuTasks))
  }
  if (parts.has('stored')) {
    if (withoutRedis) {
      console.log(`\nstored: not measured, ${withoutRedis}`)
    } else {
      const runs = Math.ceil(rounds / 2)
      const sent = Math.ceil(requests / 5)
      measured.stored = await measureStored({ rounds: runs, requests: sent, pluginUrl, onRound: round => progress(`stored: round ${round} of ${runs}`) })
      console.log(`\nTasks stored in Redis, ${runs} rounds of ${sent} requests: median, with the quartiles of the slices\n`)
      console.log(storedTable(measured.stored))
      console.log('\nFrom the reply, read by the client, to the start of the task in an idle worker; below zero it started before\n')
      console.log(latencyTable(measured.stored))
    }
  }
  if (parts.has('worker')) {
    if (withoutRedis) {
      console.log(`\nworker: not measured, ${withoutRedis}`)
    } else {
      const runs = Math.ceil(rounds / 2)
      const tasks = Math.ceil(requests / 5)
      measured.worker = await measureWorker({ rounds: runs, tasks, pluginUrl, onRound: round => progress(`worker: round ${round} of ${runs}`) })
      console.log(`\nTasks run by a worker, ${runs} rounds of ${tasks} tasks: median, with the quartiles of the slices\n`)
      console.log(workerTable(measured.worker))
    }
  }
  if (parts.has('dashboard')) {
    const runs = Math.ceil(rounds / 2)
    const figures = await measureDashboard({
      rounds: runs, requests, soakSeconds: 10 * seconds, pluginUrl, onRound: round => progress(`dashboard: round ${round} of ${runs}`)
    })
    console.log(`\nThe dashboard, ${runs} rounds: median, with the smallest and the largest round\n\n${dashboardTable(figures)}\n\n${soakLine(figures.soak)}`)
  }
  console.log(`\n${budgetVerdicts(measured)}\n\n${budgetTable(measured)}`)
}

// Ending by process.exit, also on a signal, so that the servers still running are ended with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

try {
  const flags = readFlags()
  if (flags === undefined) console.log(usage)
  else await run(flags)
  process.exit()
} catch (error) {
  console.error(error)
  process.exit(1)
}
