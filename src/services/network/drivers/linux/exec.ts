/** Runs the system's network tools: argument vectors and standard input only, bounded in time and output. */
import { spawn } from 'node:child_process'
import { messageOf } from '#kernel/errors.ts'

export interface Outcome {
  /** Exit status; 127 when the tool is missing, 124 when it took too long. */
  code: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  input?: string
  timeoutMs?: number
}

const maxOutput = 64 * 1024 * 1024
const toolPath = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`

/** Never throws: what went wrong is in the outcome. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise(resolve => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, PATH: toolPath, LC_ALL: 'C' },
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let size = 0
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length
      if (size > maxOutput) child.kill('SIGKILL')
      else into.push(chunk)
    }
    child.stdout.on('data', collect(out))
    child.stderr.on('data', collect(err))
    child.on('error', error => resolve({ code: 127, stdout: '', stderr: `${command}: ${messageOf(error)}` }))
    child.on('close', code =>
      resolve({ code: code ?? 124, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    )
    // A tool that exits before it has read everything must not take the process down with EPIPE.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** The same inside a named network namespace; `null` is the one this process runs in. */
export function runIn(netns: string | null, command: string, args: string[], options?: RunOptions): Promise<Outcome> {
  return netns === null ? run(command, args, options) : run('ip', ['netns', 'exec', netns, command, ...args], options)
}

/** The part of a failure that says why, short enough for a report. */
export function reason(outcome: Outcome): string {
  const text = (outcome.stderr.trim() || outcome.stdout.trim() || `exit status ${outcome.code}`).replace(/\s+/g, ' ')
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}

/** Runs `work` over `items`, a few at a time. */
export async function inPool<T>(items: Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(width, queue.length) }, worker))
}
