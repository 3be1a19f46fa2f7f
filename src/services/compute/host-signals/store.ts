/** Signals of hosts in the database: what daemons outside of the cloud say of them, such as a rack or a temperature. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import { computeConfig } from '../config.ts'

export type SignalValue = string | number | boolean

export interface HostSignalRow {
  host: string
  name: string
  value: SignalValue
  reported_at: string
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

/** Says the named ones anew; null takes one back. Others stay. In a transaction. */
export async function putSignals(ctx: Ctx, host: string, said: Record<string, SignalValue | null>): Promise<void> {
  const reported_at = new Date(ctx.clock.now()).toISOString()
  await hostSignals.remove(ctx.db, { host, name: Object.keys(said) })
  const kept = Object.entries(said).flatMap(([name, value]) =>
    value === null ? [] : { host, name, value, reported_at },
  )
  await hostSignals.insertMany(ctx.db, kept)
}
