/** The half of chaos that is inside a stage: requests and questions to the database come as JSON lines, answers go out with their numbers. */
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { type Answered, type Asked, ask } from '../journeys/requests.ts'

export type Order = { number: number } & (
  | { asked: Asked }
  /** Of an SQLite file. */
  | { file: string; sql: string }
)

export type Report = { number: number } & (
  | {
      answered: Answered
      /** Nothing had come for half a minute, on a connection that stood. */
      late: boolean
    }
  | { rows: Row[] }
  | { failed: string }
)

export type Row = Record<string, unknown>

const address = 'http://127.0.0.1:8774'

async function relay(order: Order): Promise<void> {
  const { number } = order
  const report = (what: object) => process.stdout.write(`${JSON.stringify({ number, ...what })}\n`)
  if ('sql' in order) {
    try {
      report({ rows: rowsOf(order.file, order.sql) })
    } catch (error) {
      report({ failed: String(error) })
    }
    return
  }
  let late = false
  const answered = await ask(address, order.asked, () => {
    late = true
  })
  report({ answered, late })
}

function rowsOf(file: string, sql: string): Row[] {
  const connection = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    return connection.prepare(sql).all()
  } finally {
    connection.close()
  }
}

if (process.argv[1] === import.meta.filename) {
  for await (const line of createInterface({ input: process.stdin })) void relay(JSON.parse(line) as Order)
}
