/** A cloud that is started by the launcher, killed, and started again: its stage, the way in for requests, its database, and what happened. */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import type { Answered, Asked } from '../journeys/requests.ts'
import { createStage, type Stage } from '../journeys/stage.ts'
import { type Timeline, timelineOf } from '../simulation/timeline.ts'
import type { Order, Report, Row } from './relay.ts'

type Question = Order extends infer One ? (One extends Order ? Omit<One, 'number'> : never) : never

export interface CloudOptions {
  /** Of `nephos up`. */
  flags: string[]
  /** Texts of nephos.yaml beyond the usual. */
  settings?: string
  /** Before the first start: mounts, servers. */
  prepare?: (stage: Stage) => Promise<void>
  /** Asks the database; by default the file in the data directory. */
  rows?: (sql: string) => Promise<Row[]>
}

export interface ChaosCloud extends AsyncDisposable {
  readonly stage: Stage
  readonly flags: readonly string[]
  readonly timeline: Timeline
  /** Milliseconds since it was made. */
  now(): number
  /** Milliseconds that the last whole start took. */
  readonly startMs: number
  /** Starts it and waits until it is ready; a port that its dead forerunner still holds is waited for. */
  start(): Promise<void>
  /** Status 0: no answer came. Throws when nothing came for half a minute on a connection that stood. */
  ask(asked: Asked): Promise<Answered>
  rows(sql: string): Promise<Row[]>
  /** A file of the data directory, as it is reached from here. */
  file(...names: string[]): string
  password(entry: string): string
}

/** Uploads that died are taken back as soon as may be. */
const usual = 'image:\n  stale_upload_seconds: 30\n'

export async function openCloud(options: CloudOptions): Promise<ChaosCloud> {
  const began = performance.now()
  const now = () => performance.now() - began
  const timeline = timelineOf(now)
  const stage = await createStage({ cold: true })
  const file = (...names: string[]) => join(stage.seen(stage.data), ...names)
  try {
    mkdirSync(stage.data)
    await options.prepare?.(stage)
    writeFileSync(file('nephos.yaml'), `${usual}${options.settings ?? ''}`)
  } catch (error) {
    await stage[Symbol.asyncDispose]()
    throw error
  }
  const relay = startRelay(stage)
  const fileRows = async (sql: string) => {
    const report = await relay.ask({ file: join(stage.data, 'nephos.db'), sql })
    if (!('rows' in report)) throw new Error(JSON.stringify(report))
    return report.rows
  }

  let startMs = 0

  return {
    ...{ stage, timeline, now, file, flags: options.flags },
    get startMs() {
      return startMs
    },
    async start() {
      for (const deadline = now() + 15_000; ; await sleep(200)) {
        const started = now()
        try {
          await stage.up(options.flags)
          startMs = now() - started
          return
        } catch (error) {
          const held = /is in use|another nephos runs/.test(String(error))
          if (!held || now() > deadline) throw error
          timeline.note('  its forerunner still holds its place')
        }
      }
    },
    async ask(asked) {
      const report = await relay.ask({ asked })
      if (!('answered' in report)) throw new Error(JSON.stringify(report))
      if (report.late) throw new Error(`no answer within 30 s: ${asked.method} ${asked.path}`)
      return report.answered
    },
    rows: options.rows ?? fileRows,
    password(entry) {
      const { clouds } = parse(readFileSync(file('clouds.yaml'), 'utf8')) as {
        clouds: Record<string, { auth: { password: string } }>
      }
      return clouds[entry]!.auth.password
    },
    async [Symbol.asyncDispose]() {
      relay.end()
      await stage[Symbol.asyncDispose]()
    },
  }
}

function startRelay(stage: Stage) {
  const [program, argv] = stage.inside(process.execPath, [join(import.meta.dirname, 'relay.ts')])
  const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting = new Map<number, (report: Report) => void>()
  let last = 0
  createInterface({ input: child.stdout }).on('line', line => {
    const report = JSON.parse(line) as Report
    waiting.get(report.number)?.(report)
    waiting.delete(report.number)
  })
  return {
    ask(question: Question): Promise<Report> {
      const number = ++last
      child.stdin.write(`${JSON.stringify({ ...question, number })}\n`)
      return new Promise(done => waiting.set(number, done))
    },
    end: () => void child.kill('SIGKILL'),
  }
}
