/** Runs the small programs that the driver needs (qemu-img, genisoimage …), bounded in time, memory and output. */
import { type Bounds, ProgramError, runProgram } from '#kernel/program.ts'
import { GuestError } from '../driver.ts'

const packages: Record<string, string> = {
  'qemu-img': 'qemu-utils',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-storage-daemon': 'qemu-system-common',
  genisoimage: 'genisoimage',
  prlimit: 'util-linux',
  setpriv: 'util-linux',
  nsenter: 'util-linux',
  taskset: 'util-linux',
  chrt: 'util-linux',
}

/** With a guest's directory as `cwd` the next start finds and ends the program there, should we be killed. */
export type RunOptions = Pick<Bounds, 'cwd' | 'signal' | 'timeoutMs' | 'fileBytes' | 'endsWithUs'> & {
  /** What is wrong when it would write more than `fileBytes`. */
  tooLarge?: () => GuestError
}

/** Standard output. Rejects with a GuestError that carries the last line of standard error. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  try {
    return await runProgram(command, args, options)
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error
    if (error.why === 'missing') throw missing(error.program)
    if (error.why === 'disk full') throw diskFull(error)
    if (error.why === 'too large' && options.tooLarge) throw options.tooLarge()
    throw new GuestError(error.message, { cause: error })
  }
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
