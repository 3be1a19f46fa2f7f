/** Runs the small programs that the driver needs (qemu-img, genisoimage …), bounded in time, memory and output. */
import { execFile } from 'node:child_process'
import { GuestError } from '../driver.ts'

const packages: Record<string, string> = {
  'qemu-img': 'qemu-utils',
  'qemu-system-x86_64': 'qemu-system-x86',
  genisoimage: 'genisoimage',
  prlimit: 'util-linux',
  setpriv: 'util-linux',
  nsenter: 'util-linux',
  taskset: 'util-linux',
  chrt: 'util-linux',
}

export interface RunOptions {
  /** The guest's directory for work on its files: should we be killed, the next start finds and ends the program there. */
  cwd?: string
  signal?: AbortSignal
  /** An hour by default: a conversion of a large disk takes long. */
  timeoutMs?: number
}

/** Standard output. Rejects with a GuestError that carries the last line of standard error. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const limits = ['--core=0', '--as=2147483648', '--nofile=256', '--']
  return new Promise((resolve, reject) => {
    execFile(
      'prlimit',
      [...limits, command, ...args],
      {
        cwd: options.cwd,
        signal: options.signal,
        timeout: options.timeoutMs ?? 3_600_000,
        maxBuffer: 4 * 1024 * 1024,
        killSignal: 'SIGKILL',
        env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        if (options.signal?.aborted) return reject(options.signal.reason)
        reject(failure(command, stderr, error))
      },
    )
  })
}

function failure(command: string, stderr: string, cause: Error & { code?: unknown }): GuestError {
  if (cause.code === 'ENOENT') return missing('prlimit')
  if (/failed to execute|No such file or directory$/.test(stderr.trim()) && stderr.includes('prlimit'))
    return missing(command)
  const last = stderr.trim().split('\n').at(-1)?.slice(0, 300) || cause.message.slice(0, 300)
  if (/No space left on device/.test(stderr)) return diskFull(cause)
  return new GuestError(`${command} failed: ${last}`, { cause })
}

export function missing(command: string): GuestError {
  const name = packages[command]
  return new GuestError(
    `The program ${command} is missing on this host.${name ? ` Install the package ${name}.` : ''}`,
    {
      retryElsewhere: true,
    },
  )
}

export function diskFull(cause?: unknown): GuestError {
  return new GuestError('The disk of the host is full.', { cause, retryElsewhere: true })
}
