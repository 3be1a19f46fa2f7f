/** Talks to the agent inside a guest (qemu-guest-agent), where the image says that there is one. What it answers is the guest's word: hostile. */
import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '#kernel/clock.ts'
import { GuestError } from '../driver.ts'
import type { Machine } from './command-line.ts'
import type { GuestFiles } from './host.ts'

export const agentSocket = 'run/agent'
const answerMs = 10_000
const maxAnswerBytes = 64 * 1024

export async function setPassword(clock: Clock, machine: Machine, files: GuestFiles, user: string, password: string) {
  if (!machine.agent) throw new GuestError('Guest agent is not enabled for the instance')
  const encoded = Buffer.from(password).toString('base64')
  const args = { username: user, password: encoded, crypted: false }
  await askAgent(clock, join(files.dir, agentSocket), 'guest-set-user-password', args)
}

/** Asks the agent; throws when it refuses or does not answer. */
export async function askAgent(
  clock: Clock,
  path: string,
  command: string,
  args: Record<string, unknown>,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const token = Math.floor(clock.now())
  const socket = createConnection(path)
  let text = ''
  socket.setEncoding('utf8')
  socket.on('error', cause => reject(new GuestError('The agent of the guest cannot be reached.', { cause })))
  socket.on('close', () => reject(new GuestError('The agent of the guest went away.')))
  socket.on('data', part => {
    text += part
    if (text.length > maxAnswerBytes) return reject(new GuestError('The agent of the guest answers without end.'))
    const lines = text.split('\n')
    text = lines.pop()!
    for (const line of lines) take(line)
  })
  // Answers to what others asked before us come first: ours are those after the token.
  socket.write(`${JSON.stringify({ execute: 'guest-sync', arguments: { id: token } })}\n`)

  let synced = false
  function take(line: string) {
    const answer = parsed(line)
    if (!synced) {
      synced = answer?.return === token
      if (synced) socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
    } else if (answer?.error) reject(new GuestError(`The agent of the guest refused: ${reasonOf(answer.error)}`))
    else resolve(answer?.return)
  }
  using _timer = clock.after(answerMs, () => reject(new GuestError('The agent of the guest does not answer.')))
  try {
    return await promise
  } finally {
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

const reasonOf = (error: unknown) =>
  String((error as { desc?: unknown }).desc ?? 'no reason given')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200)
