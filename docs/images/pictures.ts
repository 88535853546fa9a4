import { bursts } from './bursts.js'
import type { Picture } from './draw.js'
import { kinds } from './kinds.js'
import { processes } from './processes.js'
import { request } from './request.js'
import { shutdown } from './shutdown.js'
import { states } from './states.js'

/** The pictures, by the names of their files. */
export const pictures: ReadonlyMap<string, () => Picture> = new Map(Object.entries({ bursts, kinds, processes, request, shutdown, states }))
