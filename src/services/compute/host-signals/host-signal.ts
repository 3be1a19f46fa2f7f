/** How signals are written in the API: texts, numbers and yes or no, by name. */
import { Type } from '#kernel/schema/builders.ts'

export const signalValue = Type.Union([Type.String({ maxLength: 255 }), Type.Number(), Type.Boolean()])
export const signalName = '^[a-z][a-z0-9_]{0,63}$'

/** Of one host, or one place. */
export const mostSignals = 100

/** What is said anew; null takes a signal back. */
export const saidSignals = Type.Record(Type.String({ pattern: signalName }), Type.Union([signalValue, Type.Null()]), {
  minProperties: 1,
  maxProperties: mostSignals,
  additionalProperties: false,
})
