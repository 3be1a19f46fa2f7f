/** A usage audit: at the end of each period, what every host ran in it is told once, as events. */
import { BadRequest } from '#kernel/errors.ts'

export interface UsageAuditRow {
  host: string
  period_beginning: string
  period_ending: string
  /** How many servers the host had in the period. */
  instances: number
  errors: number
  message: string
}

/** Milliseconds since the epoch. */
export interface Period {
  begin: number
  end: number
}

type Unit = 'hour' | 'day' | 'month' | 'year'

/** The beginning of a unit, so many units after the one that a time is in. `offset`: the minute, hour, day or month at which the unit begins. */
function beginning(unit: Unit, offset: number, time: Date, later: number): number {
  const [year, month, day, hour] = [time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate(), time.getUTCHours()]
  switch (unit) {
    case 'hour':
      return Date.UTC(year, month, day, hour + later, offset)
    case 'day':
      return Date.UTC(year, month, day + later, offset)
    case 'month':
      return Date.UTC(year, month + later, offset || 1)
    case 'year':
      return Date.UTC(year + later, (offset || 1) - 1, 1)
  }
}

/** The period that ended last before a time. `setting`: `hour`, `day`, `month` or `year`, with `@` and where it begins: `month@15`. */
export function lastPeriod(setting: string, before: number): Period {
  const [unit, offset = '0'] = setting.split('@') as [Unit, string?]
  const time = new Date(before)
  const passed = beginning(unit, Number(offset), time, 0) < before ? 0 : -1
  return {
    begin: beginning(unit, Number(offset), time, passed - 1),
    end: beginning(unit, Number(offset), time, passed),
  }
}

/** A time as an audit's path has it: `2026-01-31 12:00:00`, with or without a fraction. */
export function timeOf(text: string): number {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)$/.exec(text)
  const value = match ? Date.parse(`${match[1]}T${match[2]}Z`) : Number.NaN
  if (Number.isNaN(value)) throw new BadRequest(`Invalid timestamp for date ${text}`)
  return value
}

/** As upstream prints a time of an audit. */
export const shownTime = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
