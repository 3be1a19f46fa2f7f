/** Agents for tests, in a guest's place at its channel: one that answers what it is told to, and two of flavors, which keep what a guest would. */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Machine } from './command-line.ts'
import { agentSocket, type Booted } from './guest-agent.ts'
import type { GuestFiles } from './host.ts'
import { imageOf } from './test-guest.ts'

export interface Asked {
  execute: string
  arguments: Record<string, unknown>
}

export const sync = ({ arguments: { id } }: Asked) => `${JSON.stringify({ return: id })}\n`

/** An agent that answers each command by `answer`. */
export async function testAgent(answer: (asked: Asked) => string) {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-agent-'))
  mkdirSync(join(dir, 'run'))
  const path = join(dir, agentSocket)
  const heard: Asked[] = []
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.on('data', data => {
      for (const line of String(data).split('\n').slice(0, -1)) {
        const asked = JSON.parse(line) as Asked
        heard.push(asked)
        socket.write(answer(asked))
      }
    })
  }).listen(path)
  await once(server, 'listening')
  return {
    dir,
    path,
    heard,
    [Symbol.dispose]() {
      server.close()
      rmSync(dir, { recursive: true })
    },
  }
}

type Answers = Record<string, (args: Record<string, unknown>) => unknown>

/** What an answer says that is a refusal. */
export function refuse(why: string): never {
  throw new Error(why)
}

/** One that answers commands by name. */
export const answering = (answers: Answers) =>
  testAgent(asked => {
    if (asked.execute === 'guest-sync') return sync(asked)
    return `${JSON.stringify(answerOf(answers, asked))}\n`
  })

function answerOf(answers: Answers, { execute, arguments: args }: Asked): object {
  try {
    return { return: (answers[execute] ?? (() => refuse('no such command')))(args) }
  } catch (error) {
    return { error: { desc: (error as Error).message } }
  }
}

/** A guest that has long been up, with an agent in that folder. */
export const bootedIn = (dir: string, properties: Record<string, string> = {}): Booted => {
  const image = imageOf('i', Buffer.alloc(512), { properties })
  const spec = { id: 'g', disks: [{ id: 'root', source: { type: 'image', image }, size_gb: 1, boot_index: 0 }] }
  const files = { dir, run: join(dir, 'run') } as GuestFiles
  return { machine: { spec, agent: true } as unknown as Machine, files, uptime: 1000 }
}

/** What a NIC of such a guest has. */
export interface FlavoredNic {
  name: string
  mac: string
  mtu: number
  addresses: string[]
  /** `TO via GATEWAY`; the default is `default`. */
  routes: string[]
}

/** What makes a guest one of its kind. */
export interface Flavor {
  name: string
  properties: Record<string, string>
  system: string
  users: string[]
  nics: [name: string, mac: string][]
  /** Programs that it has, by path: what they do and how they end. */
  programs: Record<string, (args: string[], guest: FlavoredState) => number>
  /** What the path of a file looks like. */
  paths: RegExp
}

export interface FlavoredState {
  nics: FlavoredNic[]
  passwords: Record<string, string>
  files: Record<string, string>
  /** What was done to it, in order. */
  done: string[]
  frozen: boolean
  /** Of the agent. */
  version: string
}

/** A file that is run, or installed: a build of the agent, which says its version. */
export function installed(file: string, guest: FlavoredState): number {
  const [, version] = /^version (\S+)$/m.exec(guest.files[file] ?? '') ?? []
  guest.version = version ?? guest.version
  return version === undefined ? 1 : 0
}

const ran = (file: string) => (_: string[], guest: FlavoredState) => installed(file, guest)

/** An agent of that flavor, and the guest that it is in. */
export async function flavoredAgent({ name, properties, system, users, nics, programs, paths }: Flavor) {
  const guest: FlavoredState = {
    nics: nics.map(([called, mac]) => ({ name: called, mac, mtu: 1500, addresses: [], routes: [] })),
    ...{ passwords: {}, files: {}, done: [], frozen: false, version: '1.0' },
  }
  const open: { path: string; at: number }[] = []
  const ends: number[] = []
  const agent = await answering({
    'guest-ping': () => ({}),
    'guest-info': () => ({ version: guest.version, supported_commands: [] }),
    'guest-get-osinfo': () => ({ id: system }),
    'guest-set-user-password'({ username, password }) {
      if (!users.includes(String(username))) refuse(`no user ${username}`)
      guest.passwords[String(username)] = Buffer.from(String(password), 'base64').toString()
      return {}
    },
    'guest-network-get-interfaces': () =>
      guest.nics.map(nic => ({
        ...{ name: nic.name, 'hardware-address': nic.mac },
        'ip-addresses': nic.addresses.map(address => ({ 'ip-address': address.split('/')[0] })),
      })),
    'guest-exec'({ path, arg }) {
      const program =
        programs[String(path)] ?? (guest.files[String(path)] === undefined ? undefined : ran(String(path)))
      if (!program) refuse(`Failed to execute child process "${path}" (No such file or directory)`)
      return { pid: ends.push(program!(arg as string[], guest)) - 1 }
    },
    'guest-exec-status': ({ pid }) => ({ exited: true, exitcode: ends[Number(pid)] }),
    'guest-file-open'({ path, mode }) {
      if (!paths.test(String(path))) refuse(`no such path: ${path}`)
      if (mode === 'w') guest.files[String(path)] = ''
      return open.push({ path: String(path), at: 0 }) - 1
    },
    'guest-file-seek'({ handle, offset }) {
      open[Number(handle)]!.at = Number(offset)
      return { position: offset, eof: false }
    },
    'guest-file-write'({ handle, 'buf-b64': part }) {
      const bytes = Buffer.from(String(part), 'base64')
      const file = open[Number(handle)]!
      const before = Buffer.from(guest.files[file.path]!, 'latin1')
      const parts = [before.subarray(0, file.at), bytes, before.subarray(file.at + bytes.length)]
      guest.files[file.path] = Buffer.concat(parts).toString('latin1')
      file.at += bytes.length
      return { count: bytes.length }
    },
    'guest-file-close': () => ({}),
    'guest-fsfreeze-status': () => (guest.frozen ? 'frozen' : 'thawed'),
    'guest-fsfreeze-freeze'() {
      guest.frozen = true
      return guest.done.push('freeze')
    },
    'guest-fsfreeze-thaw'() {
      guest.frozen = false
      return guest.done.push('thaw')
    },
  })
  const { dir, heard } = agent
  const booted = bootedIn(dir, { hw_qemu_guest_agent: 'yes', ...properties })
  return { name, guest, heard, booted, [Symbol.dispose]: () => agent[Symbol.dispose]() }
}
