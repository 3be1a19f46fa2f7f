/** Guesses by address: who has failed too often from one place waits, whoever it says it is. Each process counts for itself. */
import ipaddr from 'ipaddr.js'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { identityConfig } from './config.ts'

interface Failures {
  count: number
  /** When the first of them was; milliseconds. */
  since: number
}

const mostSources = 10_000
const failures = perCloud(() => new Map<string, Failures>())

/** An address; of IPv6 the network, which one guest has for itself. */
function placeOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const read = ipaddr.process(address)
  return read instanceof ipaddr.IPv6 ? read.parts.slice(0, 4).join(':') : read.toString()
}

/** Runs the login, unless too many from the address have failed lately; what is refused then looks like any other refusal. */
export async function unlessGuessing<T>(ctx: Ctx, source: string, logIn: () => Promise<T>): Promise<T> {
  const { source_lockout_attempts: most, lockout_seconds } = ctx.config.of(identityConfig)
  if (most === 0) return logIn()
  const place = placeOf(source)
  const all = failures(ctx)
  const recent = () => {
    const known = all.get(place)
    return known && ctx.clock.now() < known.since + lockout_seconds * 1000 ? known : undefined
  }
  if ((recent()?.count ?? 0) >= most) throw new Unauthorized()
  try {
    return await logIn()
  } catch (error) {
    if (error instanceof Unauthorized) {
      const known = recent()
      all.delete(place)
      all.set(place, { count: (known?.count ?? 0) + 1, since: known?.since ?? ctx.clock.now() })
      if (all.size > mostSources) all.delete(all.keys().next().value!)
    }
    throw error
  }
}
