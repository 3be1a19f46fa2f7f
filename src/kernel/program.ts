/** Runs a small program of this machine that works on files which may be large and hostile: bounded in time, memory, output and what it writes. */
import { execFile } from 'node:child_process'

/** What programs that we run see of our environment: no secrets, and messages in English. */
export const childEnv = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

export interface Bounds {
  cwd?: string | undefined
  signal?: AbortSignal | undefined
  /** An hour by default: a conversion of a large disk takes long. */
  timeoutMs?: number | undefined
  /** The most that a file may have which it writes. */
  fileBytes?: number
  /** It ends when this process is killed; who finds it again at the next start does without. */
  endsWithUs?: boolean
}

/** A program did not do what it was asked. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError'
  /** `too large`: it wanted to write more than `fileBytes` to a file. */
  readonly why: 'failed' | 'missing' | 'disk full' | 'too large'
  /** The one that failed, or is missing. */
  readonly program: string

  constructor(why: ProgramError['why'], program: string, message: string, cause: unknown) {
    super(message, { cause })
    this.why = why
    this.program = program
  }
}

/** Standard output. Throws `ProgramError` with the last line of standard error, or the signal's reason. */
export function runProgram(program: string, args: readonly string[], bounds: Bounds = {}): Promise<string> {
  const { cwd, signal, timeoutMs = 3_600_000, fileBytes, endsWithUs } = bounds
  const size = fileBytes === undefined ? [] : [`--fsize=${fileBytes}`]
  const limited = ['prlimit', '--core=0', '--as=2147483648', '--nofile=256', ...size, '--', program, ...args]
  const [first, ...rest] = endsWithUs ? ['setpriv', '--pdeathsig', 'KILL', '--', ...limited] : limited
  return new Promise((resolve, reject) => {
    execFile(
      first!,
      rest,
      {
        cwd,
        signal,
        timeout: timeoutMs,
        maxBuffer: 4 * 1024 * 1024,
        killSignal: 'SIGKILL',
        env: childEnv,
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        if (signal?.aborted) return reject(signal.reason)
        reject(failure(program, first!, stderr, error))
      },
    )
  })
}

function failure(
  program: string,
  first: string,
  stderr: string,
  cause: Error & { code?: unknown; signal?: unknown },
): ProgramError {
  const missing = (name: string) => new ProgramError('missing', name, `The program ${name} is missing.`, cause)
  if (cause.code === 'ENOENT') return missing(first)
  const unfound = /^(?:setpriv|prlimit): failed to execute (\S+?):/m.exec(stderr)
  if (unfound) return missing(unfound[1]!)
  if (/No space left on device/.test(stderr)) return new ProgramError('disk full', program, 'The disk is full.', cause)
  if (cause.signal === 'SIGXFSZ' || /File too large/.test(stderr))
    return new ProgramError('too large', program, `${program} would write more than it may.`, cause)
  const last = stderr.trim().split('\n').at(-1)?.slice(0, 300) || cause.message.slice(0, 300)
  return new ProgramError('failed', program, `${program} failed: ${last}`, cause)
}
