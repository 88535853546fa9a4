import type { Change } from './engine.js'

/** What FST_BGT_ENGINE says, whatever the engine says. */
export const notStored = 'background tasks could not be stored'

/** The ways in which an engine does not store what it is given, and what the cause of FST_BGT_ENGINE says. For a `storeTimeout` of 50 ms. */
export const failing: Array<[title: string, change: Change, cause: RegExp]> = [
  ['throws at once', () => ({ add () { throw new Error('no room') } }), /^no room$/],
  ['rejects', () => ({ add: async () => { throw new Error('no room') } }), /^no room$/],
  ['rejects with a string', () => ({ add: () => Promise.reject('no room') }), /^no room$/], // eslint-disable-line prefer-promise-reject-errors
  ['rejects with nothing', () => ({ add: () => Promise.reject() }), /^undefined$/], // eslint-disable-line prefer-promise-reject-errors
  ['does not answer', () => ({ add: () => new Promise(() => {}) }), /^no answer within 50 ms$/]
]
