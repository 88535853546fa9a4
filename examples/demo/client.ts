import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { TaskSnapshot } from '../../index.js'
import { startProcess } from './start-process.js'

/** Requests at a steady pace. */
export interface Load {
  url: string
  durationMs: number
  everyMs: number
  burst?: { path: string, requests: number, everyMs: number }
}

export interface LoadFigures {
  count: number
  /** In milliseconds, as the next one. */
  p99: number
  slowest: number
}

/** What the process of the client is asked to do. */
export interface Command {
  number: number
  action: 'send' | 'hangUp' | 'abort' | 'follow' | 'load'
  url: string
  method?: 'GET' | 'POST'
  json?: string
  load?: Load
}

export interface Reply {
  ms: number
  status: number
  location: string
  body: string
}

interface Message {
  number: number
  value?: any
  error?: string
  task?: TaskSnapshot
}

/** The demo's side of the client, which is a process of its own. */
export class Client {
  readonly #child: ChildProcess = startProcess('client-process')
  readonly #answers = new Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>()
  readonly #outcomes = new Map<number, Promise<any>>()
  #onTask: ((task: TaskSnapshot) => void) | undefined
  #numbers = 0

  constructor () {
    this.#child.on('message', ({ number, value, error, task }: Message) => {
      if (task !== undefined) return this.#onTask?.(task)
      const { resolve, reject } = this.#answers.get(number)!
      error === undefined ? resolve(value) : reject(new Error(error))
    })
  }

  async get (url: string): Promise<Reply> {
    return await this.#ask({ action: 'send', url })
  }

  async post (url: string, body: object): Promise<Reply> {
    return await this.#ask({ action: 'send', url, method: 'POST', json: JSON.stringify(body) })
  }

  /** Sends a request, and hangs up at the moment without having waited for the reply. */
  async hangUp (url: string, moment: Promise<void>): Promise<Reply> {
    const hungUp = this.#ask({ action: 'hangUp', url })
    const number = this.#numbers
    await moment
    this.#child.send({ number, action: 'abort', url })
    return await hungUp
  }

  /** Follows server-sent events to their end. */
  async follow (url: string, onTask: (task: TaskSnapshot) => void): Promise<Reply> {
    this.#onTask = onTask
    return await this.#ask({ action: 'follow', url })
  }

  async load (load: Load): Promise<LoadFigures> {
    return await this.#ask({ action: 'load', url: load.url, load })
  }

  /** The reply to the request of this number, as the process of the client has it. */
  outcomeOf (number: number): Promise<Reply> {
    return this.#outcomes.get(number)!
  }

  async close (): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }

  #ask (command: Omit<Command, 'number'>): Promise<any> {
    const number = ++this.#numbers
    const outcome = new Promise((resolve, reject) => { this.#answers.set(number, { resolve, reject }) })
    this.#outcomes.set(number, outcome)
    this.#child.send({ number, ...command })
    return outcome
  }
}
