/** Runs programs in a guest, and writes files there, by its agent: as vectors of arguments. What comes back is the guest's word: bounded. */
import type { Clock } from '#kernel/clock.ts'
import { AgentRefusal, type DriveFile, GuestError, type GuestProgram, type ProgramEnd } from '../driver.ts'
import { askBooted, type Booted } from './guest-agent.ts'

const firstLookMs = 100
const mostBetweenLooksMs = 1_000
/** An agent hands over all that a program has printed at once, at its end. */
const maxPrintedBytes = 8 * 1024 ** 2
/** Of that, the end is kept. */
const keptCharacters = 4_000
const bytesAtOnce = 32 * 1024

/** Waits no longer than the program says; it may go on in the guest then. */
export async function runProgram(
  clock: Clock,
  booted: Booted,
  { path, args, env, wait_ms }: GuestProgram,
  signal?: AbortSignal,
): Promise<ProgramEnd> {
  const asked = { path, arg: args, ...(env && { env }), 'capture-output': true }
  let pid: unknown
  try {
    pid = ((await askBooted(clock, booted, 'guest-exec', asked)) as { pid?: unknown } | undefined)?.pid
  } catch (error) {
    // It has no such program, or the agent may run none.
    if (error instanceof AgentRefusal) return { code: null, output: '', errors: error.message }
    throw error
  }
  if (!Number.isSafeInteger(pid)) throw new GuestError('The agent of the guest does not say what it has started.')
  const end = clock.now() + wait_ms
  for (let betweenMs = firstLookMs; clock.now() < end; betweenMs = Math.min(betweenMs * 2, mostBetweenLooksMs)) {
    const looked = await askBooted(clock, booted, 'guest-exec-status', { pid }, { maxBytes: maxPrintedBytes })
    const { exited, exitcode, ...said } = (looked ?? {}) as Record<string, unknown>
    if (exited === true) {
      const output = printed(said['out-data'])
      const errors = printed(said['err-data'])
      // One that a signal has ended has no code.
      return { code: Number.isSafeInteger(exitcode) ? (exitcode as number) : -1, output, errors }
    }
    await clock.sleep(betweenMs, signal)
    signal?.throwIfAborted()
  }
  return { code: null, output: '', errors: `It does not end within ${Math.round(wait_ms / 1000)} seconds.` }
}

function printed(base64: unknown): string {
  if (typeof base64 !== 'string') return ''
  // No more than what is kept is decoded: four characters are three bytes, and a character has up to four of them.
  const tail = base64.slice(-(Math.ceil((keptCharacters * 4) / 3) * 4))
  return Buffer.from(tail, 'base64').toString('utf8').slice(-keptCharacters)
}

/** The ID of its os-release. */
export async function systemOf(clock: Clock, booted: Booted): Promise<string> {
  try {
    const { id } = ((await askBooted(clock, booted, 'guest-get-osinfo', {})) ?? {}) as { id?: unknown }
    return typeof id === 'string' && /^[\w.-]{1,64}$/.test(id) ? id.toLowerCase() : 'unknown'
  } catch (error) {
    // It is there, and older than the question.
    if (error instanceof AgentRefusal) return 'unknown'
    throw error
  }
}

/** Writes all of a file, or from the byte `start` on. */
export async function writeFile(
  clock: Clock,
  booted: Booted,
  path: string,
  content: DriveFile,
  start = 0,
): Promise<void> {
  const handle = await askBooted(clock, booted, 'guest-file-open', { path, mode: start === 0 ? 'w' : 'r+' })
  if (!Number.isSafeInteger(handle))
    throw new GuestError('The agent of the guest does not say which file it has opened.')
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.base64, 'base64')
  try {
    if (start > 0) await askBooted(clock, booted, 'guest-file-seek', { handle, offset: start, whence: 0 })
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + bytesAtOnce)
      const told = await askBooted(clock, booted, 'guest-file-write', { handle, 'buf-b64': part.toString('base64') })
      const { count } = (told ?? {}) as { count?: unknown }
      if (!Number.isSafeInteger(count) || (count as number) < 1 || (count as number) > part.length)
        throw new GuestError('The agent of the guest does not say how much it has written.')
      at += count as number
    }
  } finally {
    await askBooted(clock, booted, 'guest-file-close', { handle })
  }
}
