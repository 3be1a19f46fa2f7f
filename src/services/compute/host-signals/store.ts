/** Signals of hosts in the database: what daemons outside of the cloud say of them, such as a rack or a temperature. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { type Rows, rows, type Where } from '#kernel/db/rows.ts'
import { BadRequest } from '#kernel/errors.ts'
import { computeConfig } from '../config.ts'
import { mostSignals } from './host-signal.ts'

export type SignalValue = string | number | boolean

/** What one signal says, of whatever it is. */
export interface SaidSignal {
  name: string
  value: SignalValue
  reported_at: string
}

export interface HostSignalRow extends SaidSignal {
  host: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_host_signals: HostSignalRow
  }
}

export const hostSignals = rows<HostSignalRow>('compute_host_signals', { json: ['value'] })

/** By host, then by name. */
export type Signals = ReadonlyMap<string, Readonly<Record<string, SignalValue>>>

/** Whether it was said lately enough to count. */
export function isFresh(ctx: Ctx, { reported_at }: HostSignalRow): boolean {
  const { signal_seconds } = ctx.config.of(computeConfig).scheduler
  return ctx.clock.now() - Date.parse(reported_at) <= signal_seconds * 1000
}

const toldOf = perCloud(() => new Set<string>())

/** Signals that count. They are advice: stale ones are left out, and the log says so once. */
export async function freshSignals(ctx: Ctx): Promise<Signals> {
  const found = new Map<string, Record<string, SignalValue>>()
  const told = toldOf(ctx)
  for (const row of await hostSignals.list(ctx.db)) {
    const key = `${row.host} ${row.name}`
    if (isFresh(ctx, row)) {
      told.delete(key)
      const signals = found.get(row.host) ?? {}
      signals[row.name] = row.value
      found.set(row.host, signals)
    } else if (!told.has(key)) {
      told.add(key)
      ctx.log.warn(
        { host: row.host, signal: row.name, reported_at: row.reported_at },
        'a signal of a host is stale and does not count any more',
      )
    }
  }
  return found
}

/** Says the named ones anew of a host or a place; null takes one back. Others stay. In a transaction. */
export async function putSignals<At extends object>(
  ctx: Ctx,
  table: Rows<At & SaidSignal>,
  at: At,
  said: Record<string, SignalValue | null>,
): Promise<void> {
  const reported_at = new Date(ctx.clock.now()).toISOString()
  const own = at as Where<At & SaidSignal>
  const [gone, kept] = [[] as string[], [] as (At & SaidSignal)[]]
  for (const [name, value] of Object.entries(said)) {
    if (value === null) gone.push(name)
    else kept.push({ ...at, name, value, reported_at })
  }
  await table.remove(ctx.db, { ...own, name: gone })
  const key = ['name', ...Object.keys(at)] as (keyof (At & SaidSignal) & string)[]
  // Whoever says several at once takes them in one order.
  await table.put(
    ctx.db,
    key,
    kept.sort((a, b) => (a.name < b.name ? -1 : 1)),
  )
  if ((await table.count(ctx.db, own)) > mostSignals)
    throw new BadRequest(`There may be ${mostSignals} signals of one host or place: take some back with null.`)
}
