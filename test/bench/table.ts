/** The table of a run: rows as they come, and the page that is made of them. */
import type { ChildProcess } from 'node:child_process'
import type { Baseline } from './baseline.ts'
import { type Late, usedBy } from './process.ts'
import { ms, quantiles, type Timed, timed } from './timing.ts'

export interface Row {
  what: string
  budget?: string
  measured: string
  /** How many times the baseline it takes. */
  ratio?: string
  /** Of one call, background work that it sets off included. */
  cpu?: string
  statements?: string
}

export interface Section {
  title: string
  rows: Row[]
}

export interface Table {
  sections: Section[]
  section(title: string): void
  note(row: Row): void
}

export function newTable(): Table {
  const sections: Section[] = []
  return {
    sections,
    section(title) {
      sections.push({ title, rows: [] })
      console.log(`\n${title}`)
    },
    note(row) {
      sections.at(-1)!.rows.push(row)
      console.log(
        cellsOf(row)
          .map((cell, i) => cell.padEnd([58, 12, 46, 8, 9, 0][i]!))
          .join(' '),
      )
    },
  }
}

const cellsOf = ({ what, budget = '-', measured, ratio = '', cpu = '', statements = '' }: Row) => [
  what,
  budget,
  measured,
  ratio,
  cpu,
  statements,
]

export function markdownOf({ title, rows }: Section): string {
  const lines = rows.map(row => `| ${cellsOf(row).join(' | ')} |`)
  return `## ${title}

| what | budget | measured | × baseline | CPU a call | SQL a call |
|---|---|---|---|---|---|
${lines.join('\n')}
`
}

export interface Calls {
  what: string
  budget?: string
  count: number
  clients?: number
  call(i: number): Promise<unknown>
  measured?(times: Timed): string
  /** When all that they set off is done. */
  settled?(): Promise<unknown>
}

export const rate = ({ perSecond, p50, p99 }: Timed) => `${perSecond.toFixed(0)} /s, p50 ${ms(p50)}, p99 ${ms(p99)}`

export const ratioOf = (value: number, baseline: number) =>
  `${(value / baseline).toFixed(value / baseline < 10 ? 1 : 0)}×`

/** Times calls, and notes what one of them costs the cloud: in time, against the baseline's route with as many clients, and in work. */
export async function noteCalls(
  table: Table,
  baseline: Baseline,
  child: ChildProcess,
  calls: Calls,
): Promise<Timed & { late: Late }> {
  const { what, budget, count, clients = 1, call, measured = quantiles } = calls
  const plain = await baseline.route(clients)
  const before = await usedBy(child)
  const times = await timed(count, clients, call)
  await calls.settled?.()
  const after = await usedBy(child)
  table.note({
    what,
    ...(budget !== undefined && { budget }),
    measured: measured(times),
    ratio: ratioOf(times.p50, plain.p50),
    cpu: ms((after.cpu - before.cpu) / count),
    statements: ((after.statements - before.statements) / count).toFixed(1),
  })
  return { ...times, late: after.late }
}

export function noteLate(table: Table, what: string, { p99, max }: Late): void {
  const measured = `p99 ${ms(p99)}, longest ${ms(max)}`
  table.note({ what: `event loop late: ${what}`, budget: 'p99 < 20 ms', measured })
}

/** What a piece of work makes of the event loop, whatever it is. */
export async function lateDuring(child: ChildProcess, work: () => Promise<unknown>): Promise<Late> {
  await usedBy(child)
  await work()
  return (await usedBy(child)).late
}
