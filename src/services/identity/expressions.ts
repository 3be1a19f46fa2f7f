/** Regular expressions that operators give, run on what others say: they are stopped after a while, since some never come to an end. */
import { createContext, Script } from 'node:vm'
import { BadRequest } from '#kernel/errors.ts'

/** All expressions on all values together. What is sensible takes a millisecond. */
const mostMs = 250

const script = new Script('run()')
let place: { run?: () => unknown } | undefined

/** Runs the work here and now, but not for longer than `mostMs`; undefined when that was too short. */
function hurried<T>(work: () => T): T | undefined {
  place ??= createContext({})
  place.run = work
  try {
    return script.runInContext(place, { timeout: mostMs }) as T
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined
    throw error
  } finally {
    delete place.run
  }
}

/** The values in which any of the expressions is found. Refuses what takes too long to tell. */
export function found(values: readonly string[], patterns: readonly string[], flags = ''): string[] {
  const kept = hurried(() => {
    const expressions = patterns.map(pattern => new RegExp(pattern, flags))
    return values.filter(value => expressions.some(expression => expression.test(value)))
  })
  if (kept) return kept
  throw new BadRequest(
    `A regular expression takes too long: ${patterns.join(', ').slice(0, 200)}. Repeat in it nothing that repeats itself.`,
  )
}
