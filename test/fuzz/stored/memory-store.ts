import type { FuzzStore } from './store-app.js'

/** The engine that the plugin has by itself. */
export const memoryStore: FuzzStore = { isKept: false, open: async () => undefined }
