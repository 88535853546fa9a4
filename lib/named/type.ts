// The build bundles the used part of TypeBox into this file. The part loads in a tenth of the time of TypeBox.
export { Type } from '@sinclair/typebox'
