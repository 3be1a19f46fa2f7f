/** What this machine can do at all, measured in the same run: a route of Fastify that answers a constant, and a prepared read of SQLite. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ask } from './ask.ts'
import { type Timed, type Times, timed, timesOf } from './timing.ts'

export interface Baseline extends AsyncDisposable {
  /** Asked by so many clients at once; measured at the first call. */
  route(clients: number): Promise<Timed>
  read: Times
}

export async function measureBaseline(quick: boolean): Promise<Baseline> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'trivial.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [address] = (await once(child.stdout!, 'data')) as [Buffer]
  const url = String(address).trim()
  const known = new Map<number, Timed>()
  const call = () => ask(url, { headers: { 'x-auth-token': 'any' } })
  const calls = quick ? 50 : 2000
  await timed(calls, 4, call)
  return {
    async route(clients) {
      const times = known.get(clients) ?? (await timed(calls + 10 * clients, clients, call))
      known.set(clients, times)
      return times
    },
    read: readTimes(),
    [Symbol.asyncDispose]: () => ended(child),
  }
}

/** Of a row by its key among 10,000, a hundred at a time: one is too short to be timed. */
function readTimes(): Times {
  using db = new DatabaseSync(':memory:')
  db.exec('create table things (id text primary key, name text not null, size integer not null)')
  const insert = db.prepare('insert into things values (?, ?, ?)')
  for (let i = 0; i < 10_000; i++) insert.run(`thing-${i}`, `name ${i}`, i)
  const read = db.prepare('select * from things where id = ?')
  const batch = (first: number) => {
    const began = performance.now()
    for (let i = 0; i < 100; i++) read.get(`thing-${(first * 97 + i * 31) % 10_000}`)
    return (performance.now() - began) / 100
  }
  for (let i = 0; i < 100; i++) batch(i)
  return timesOf(Array.from({ length: 500 }, (_, i) => batch(i)))
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}
