/** A client's half inside a stage: does requests that come as JSON lines, each as soon as it comes, and prints the answers with their numbers. */
import { createInterface } from 'node:readline'
import { type Answered, type Asked, ask } from '../journeys/requests.ts'

export interface Order {
  number: number
  asked: Asked
}

export interface Report {
  number: number
  answered: Answered
  /** Nothing had come for half a minute, on a connection that stood. */
  late: boolean
}

export const address = 'http://127.0.0.1:8774'

async function relay({ number, asked }: Order): Promise<void> {
  let late = false
  const answered = await ask(address, asked, () => {
    late = true
  })
  process.stdout.write(`${JSON.stringify({ number, answered, late } satisfies Report)}\n`)
}

if (process.argv[1] === import.meta.filename) {
  for await (const line of createInterface({ input: process.stdin })) void relay(JSON.parse(line) as Order)
}
