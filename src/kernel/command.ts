/** Runs an operator's own command: an argument vector, bounded in time and output, never a shell. */
import { spawn } from 'node:child_process'
import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import { childEnv } from './program.ts'

export interface CommandEnd {
  ok: boolean
  /** How it ended, in words: `exit code 0`, `no end within 60 seconds`. */
  how: string
  /** The last of what it wrote, on both channels. */
  output: string
}

const outputChars = 1000
const lastWordsMs = 1000

/** Never rejects. What it started in its own process group ends with it when its time is over. */
export function runCommand(
  [program, ...args]: readonly [string, ...string[]],
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): Promise<CommandEnd> {
  return new Promise(resolve => {
    let output = ''
    const end = (ok: boolean, how: string) => {
      timer[Symbol.dispose]()
      signal.removeEventListener('abort', onAbort)
      // Not all that a program may write can be kept in a database.
      resolve({ ok, how, output: output.replaceAll('\0', '').toWellFormed().trim() })
    }
    const child = spawn(program, args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: childEnv,
    })
    const stop = (how: string) => {
      killGroup(child.pid)
      // Nobody reads on: one that has left the group may hold the channels open.
      child.stdout.destroy()
      child.stderr.destroy()
      end(false, how)
    }
    const timer = clock.after(timeoutMs, () => stop(`no end within ${timeoutMs / 1000} seconds`))
    const onAbort = () => stop(`given up: ${messageOf(signal.reason)}`)
    for (const channel of [child.stdout, child.stderr])
      channel.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-outputChars)
      })
    child.once('error', error => end(false, `it could not be started: ${messageOf(error)}`))
    const ended = (code: number | null, by: NodeJS.Signals | null) =>
      end(code === 0, code === null ? `ended by ${by}` : `exit code ${code}`)
    child.once('close', ended)
    // A child of its own that goes on may keep the channels open.
    child.once('exit', (code, by) => void clock.after(lastWordsMs, () => ended(code, by)))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // It has ended, or it is another user's (`sudo`): nobody is left here to tell.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
