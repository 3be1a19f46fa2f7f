/** Is everything there? Every part of the cloud answers for itself. */
import type { Ctx } from './context.ts'

/** How a part is: `says` is `ok`, or what is wrong with it. What is wrong may not hinder the cloud. */
export interface Part {
  fails: boolean
  says: string
}

/** A part of a service that may fail by itself. */
export interface HealthCheck {
  /** Its name in the answer. */
  part: string
  check(ctx: Ctx): Promise<Part>
}

export interface Health {
  status: 'ok' | 'error'
  /** `ok`, or what is wrong. */
  parts: Record<string, string>
}

export const fine: Part = { fails: false, says: 'ok' }

export const failing = (says: string): Part => ({ fails: true, says })

/** Of parts that are many and report regularly: some that are silent do not hinder the others, all do. Counted, not named: anybody may ask. */
export function heardFrom(ctx: Ctx, all: readonly { last_seen: string }[], limitMs: number): Part {
  const silent = all.filter(({ last_seen }) => ctx.clock.now() - Date.parse(last_seen) > limitMs)
  if (silent.length === 0) return fine
  const says = `${silent.length} of ${all.length} not heard from for ${limitMs / 1000} s`
  return { fails: silent.length === all.length, says }
}

/** Runs a check; one that throws or takes longer than `withinMs` is a part that does not answer. */
export async function answered(ctx: Ctx, name: string, withinMs: number, check: () => Promise<Part>): Promise<Part> {
  const late = new AbortController()
  try {
    const gaveUp = ctx.clock.sleep(withinMs, late.signal).then(() => failing(`no answer within ${withinMs} ms`))
    gaveUp.catch(() => {})
    return await Promise.race([check(), gaveUp])
  } catch (error) {
    ctx.log.warn({ err: error, part: name }, 'a health check failed')
    return failing('does not answer')
  } finally {
    late.abort()
  }
}

export function healthOf(parts: Record<string, Part>): Health {
  const said = Object.fromEntries(Object.entries(parts).map(([name, { says }]) => [name, says]))
  return { status: Object.values(parts).some(part => part.fails) ? 'error' : 'ok', parts: said }
}
