/** What happened in a run, line by line, and the digest by which two runs are compared. */
import { createHash } from 'node:crypto'
import { type Log, silentLog } from '../../src/kernel/log.ts'

export interface Timeline {
  /** A thing that happened; part of the digest. */
  note(what: string): void
  /** A line of a process's log; shown, but not part of the digest. */
  remark(what: string): void
  digest(): string
  /** The last lines, and before them the older ones that name one of `ids`. */
  shown(ids?: readonly string[], last?: number): string[]
}

const most = 200_000

export function timelineOf(now: () => number): Timeline {
  const hash = createHash('sha256')
  const start = now()
  let lines: string[] = []
  function add(what: string): string {
    const line = `${((now() - start) / 1000).toFixed(3).padStart(10)} ${what}`
    lines.push(line)
    if (lines.length > most) lines = lines.slice(most / 2)
    return line
  }
  return {
    note: what => void hash.update(`${add(what)}\n`),
    remark: what => void add(what),
    digest: () => hash.copy().digest('hex').slice(0, 16),
    shown(ids = [], last = 40) {
      const older = lines.slice(0, -last).filter(line => ids.some(id => line.includes(id)))
      return [...older, ...(older.length > 0 ? ['…'] : []), ...lines.slice(-last)]
    },
  }
}

/** A log whose warnings and errors are remarks. */
export function logInto(timeline: Timeline, process: string): Log {
  const log = silentLog()
  const said =
    (level: string) =>
    (first: unknown, message?: string): void =>
      timeline.remark(`    ${process} ${level}: ${message ?? ''} ${told(first)}`)
  const quiet = () => {}
  const lines = { error: said('error'), warn: said('warn'), info: quiet, debug: quiet, fatal: said('fatal') }
  const speaking = Object.assign(Object.create(log) as Log, lines)
  speaking.child = () => speaking as never
  return speaking
}

function told(first: unknown): string {
  if (typeof first === 'string') return first
  const plain = Object.entries(first as Record<string, unknown>).map(([key, value]) => [
    key,
    value instanceof Error ? (value.stack ?? value.message).split('\n').slice(0, 4).join(' | ') : value,
  ])
  return JSON.stringify(Object.fromEntries(plain)).slice(0, 700)
}
