// Gives ioredis 5 to whoever requires ioredis, as BullMQ does. To be imported before BullMQ.
import Module from 'node:module'

const resolveFilename = Module._resolveFilename
Module._resolveFilename = (request, ...rest) => resolveFilename(request === 'ioredis' ? 'ioredis-5' : request, ...rest)
