/** Talks to the agent inside a guest (qemu-guest-agent), where the image says that there is one. What it answers is the guest's word: hostile. */
import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '#kernel/clock.ts'
import { AgentRefusal, GuestError } from '../driver.ts'
import type { Machine } from './command-line.ts'
import type { GuestFiles } from './host.ts'

export const agentSocket = 'run/agent'
const answerMs = 10_000
/** How long after its start a guest may still be booting: what its agent is asked waits in the channel until then. */
const bootMs = 45_000
/** What waits for a password waits for a minute. */
const passwordMs = 55_000
const maxAnswerBytes = 64 * 1024

/** A guest that was started `uptime` seconds ago. */
export interface Booted {
  machine: Machine
  files: GuestFiles
  uptime: number
}

/** Asks the agent of a guest that may still boot; throws when it has none. `wholeMs` is for both, its boot and its work. */
export async function askBooted(
  clock: Clock,
  { machine, files, uptime }: Booted,
  command: string,
  args: Record<string, unknown>,
  { wholeMs, maxBytes = maxAnswerBytes }: { wholeMs?: number; maxBytes?: number } = {},
): Promise<unknown> {
  if (!machine.agent) throw new GuestError('Guest agent is not enabled for the instance')
  const firstMs = Math.max(answerMs, bootMs - uptime * 1000)
  const workMs = wholeMs === undefined ? answerMs : wholeMs - firstMs
  return await askAgent(clock, join(files.dir, agentSocket), command, args, { firstMs, workMs, maxBytes })
}

export async function setPassword(clock: Clock, booted: Booted, user: string, password: string): Promise<void> {
  const encoded = Buffer.from(password).toString('base64')
  const args = { username: user, password: encoded, crypted: false }
  await askBooted(clock, booted, 'guest-set-user-password', args, { wholeMs: passwordMs })
}

/** What the agent says that its version is. */
export async function versionOf(clock: Clock, booted: Booted): Promise<string> {
  const { version } = ((await askBooted(clock, booted, 'guest-info', {})) ?? {}) as { version?: unknown }
  if (typeof version === 'string' && /^[\w.+~-]{1,64}$/.test(version)) return version
  throw new GuestError('The agent of the guest does not say which version it is.')
}

export interface Filesystem {
  mountpoint: string
  type: string
  used_bytes: number
  total_bytes: number
}

const maxFilesystems = 64

/** How full the guest's file systems are, as it says itself; none when it has no agent that answers. */
export async function filesystems(clock: Clock, machine: Machine, files: GuestFiles): Promise<Filesystem[]> {
  if (!machine.agent) return []
  const socket = join(files.dir, agentSocket)
  const told = await askAgent(clock, socket, 'guest-get-fsinfo', {}).catch(() => [])
  const list: Record<string, unknown>[] = Array.isArray(told) ? told : []
  return list.slice(0, maxFilesystems).flatMap(found => {
    const { mountpoint, type, 'used-bytes': used_bytes, 'total-bytes': total_bytes } = found ?? {}
    if (!Number.isSafeInteger(used_bytes) || !Number.isSafeInteger(total_bytes)) return []
    return { mountpoint: plain(mountpoint), type: plain(type), used_bytes, total_bytes } as Filesystem
  })
}

interface Patience {
  /** Until it is there. */
  firstMs?: number
  /** For its work, when it is there. */
  workMs?: number
  /** The longest answer that is read. */
  maxBytes?: number
}

/** Asks the agent; throws when it refuses or does not answer. */
export async function askAgent(
  clock: Clock,
  path: string,
  command: string,
  args: Record<string, unknown>,
  { firstMs = answerMs, workMs = answerMs, maxBytes = maxAnswerBytes }: Patience = {},
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const token = Math.floor(clock.now())
  const socket = createConnection(path)
  let text = ''
  let read = 0
  socket.setEncoding('utf8')
  socket.on('error', cause => reject(new GuestError('The agent of the guest cannot be reached.', { cause })))
  socket.on('close', () => reject(new GuestError('The agent of the guest went away.')))
  socket.on('data', part => {
    text += part
    read += part.length
    // What was meant for others is no longer than what we may be answered.
    if (text.length > maxBytes || read > 2 * maxBytes)
      return reject(new GuestError('The agent of the guest answers without end.'))
    const lines = text.split('\n')
    text = lines.pop()!
    for (const line of lines) take(line)
  })
  // Answers to what others asked before us come first: ours are those after the token.
  socket.write(`${JSON.stringify({ execute: 'guest-sync', arguments: { id: token } })}\n`)

  let synced = false
  const tooLate = () => reject(new GuestError('The agent of the guest does not answer.'))
  let silent = clock.after(firstMs, tooLate)
  function take(line: string) {
    const answer = parsed(line)
    if (!synced) {
      synced = answer?.return === token
      if (synced) {
        silent[Symbol.dispose]()
        silent = clock.after(workMs, tooLate)
        socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
      }
    } else if (answer?.error) reject(new AgentRefusal(`The agent of the guest refused: ${reasonOf(answer.error)}`))
    else resolve(answer?.return)
  }
  try {
    return await promise
  } finally {
    silent[Symbol.dispose]()
    socket.destroy()
  }
}

function parsed(line: string): { return?: unknown; error?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

const reasonOf = (error: unknown) => plain((error as { desc?: unknown }).desc ?? 'no reason given')

/** The guest's words as they may stand in a message: printable, and not many. */
export const plain = (text: unknown) =>
  String(text)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200)
