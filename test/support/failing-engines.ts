import type { Change } from './engine.js'

/** The ways in which an engine does not store what it is given, and what FST_BGT_ENGINE says. For a `storeTimeout` of 50 ms. */
export const failing: Array<[title: string, change: Change, message: RegExp]> = [
  ['throws at once', () => ({ add () { throw new Error('no room') } }), /^background tasks could not be stored: no room$/],
  ['rejects', () => ({ add: async () => { throw new Error('no room') } }), /^background tasks could not be stored: no room$/],
  ['rejects with a string', () => ({ add: () => Promise.reject('no room') }), /no room/], // eslint-disable-line prefer-promise-reject-errors
  ['rejects with nothing', () => ({ add: () => Promise.reject() }), /^background tasks could not be stored: ./], // eslint-disable-line prefer-promise-reject-errors
  ['does not answer', () => ({ add: () => new Promise(() => {}) }), /^background tasks could not be stored: no answer within 50 ms$/]
]
