/** The processes that test files run in. Files of a part may share one: to read a cloud's modules is half of what a small file costs. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Part } from './test-plan.ts'
import type { Order, Report } from './test-worker.ts'

export interface Job extends Order {
  part: Part
  /** Beside our own. */
  env: Record<string, string>
}

export type Tell = (job: Job, report: Report) => void

/** What a process may have grown to, in megabytes, to be given another file. */
const roomy = 600

/** Runs one job after another until there are none; what takes its turns beside us has the same list. */
export async function takeTurns(jobs: AsyncIterator<Job>, tell: Tell) {
  let worker: { process: ChildProcess; part: Part } | undefined
  for (let next = await jobs.next(); !next.done; next = await jobs.next()) {
    const job = next.value
    if (worker && worker.part !== job.part) worker = await end(worker.process)
    worker ??= { process: startWorker(job.env), part: job.part }
    const again = await runFile(worker.process, job, tell)
    if (!again || !job.part.together) worker = await end(worker.process)
  }
  if (worker) await end(worker.process)
}

function startWorker(env: Record<string, string>): ChildProcess {
  return fork(join(import.meta.dirname, 'test-worker.ts'), {
    execArgv: ['--import', join(import.meta.dirname, '../src/module-hooks.mjs')],
    env: { ...process.env, ...env },
    // What tests print is not part of the report; what they complain of is.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

/** Whether the process can take another file. One that ends before its file is through is told as a failure of the file. */
async function runFile(worker: ChildProcess, job: Job, tell: Tell): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const { file, timeout } = job
  let why: string | undefined
  const timer = setTimeout(() => {
    why = `was not through after ${Math.round(timeout / 60_000)} minutes`
    worker.kill('SIGKILL')
  }, timeout)
  const take = (report: Report) => {
    tell(job, report)
    if (report.kind === 'through') resolve(report.megabytes < roomy)
  }
  const ended = (code: number | null, signal: string | null) => {
    const words = why ?? `its process ended with ${signal ?? `code ${code}`} before it was through`
    tell(job, { kind: 'failure', test: file, words })
    take({ kind: 'through', counts: { passed: 0, failed: 1, skipped: 0 }, seconds: 0, megabytes: roomy })
  }
  worker.on('message', take).on('exit', ended)
  worker.send({ file, timeout } satisfies Order)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    worker.off('message', take).off('exit', ended)
  }
}

async function end(worker: ChildProcess): Promise<undefined> {
  if (worker.exitCode !== null || worker.signalCode !== null) return
  const gone = once(worker, 'exit')
  if (worker.connected) worker.disconnect()
  await gone
}
