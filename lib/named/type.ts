// A file of its own: the build puts what it takes of TypeBox into it, a tenth of what TypeBox costs to load.
export { Type } from '@sinclair/typebox'
