/** For tests with real packets: a machine of their own (namespaces of network, mounts and processes), and guests in it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run, runIn } from './exec.ts'
import { tapName } from './names.ts'

const marker = 'NEPHOS_LAB'
export const insideLab = process.env[marker] === '1'

/** Why tests with real packets cannot run here; undefined when they can. */
export async function labObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  for (const tool of ['ip', 'nft', 'dnsmasq', 'conntrack', 'arping', 'ping', 'unshare']) {
    const args = ['ip', 'ping', 'arping'].includes(tool) ? ['-V'] : ['--version']
    if ((await run(tool, args)).code === 127) return `needs ${tool}`
  }
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun'
  return undefined
}

/** Runs a test file again inside a machine of its own, which is gone with everything in it when the tests end. */
export async function runInLab(file: string): Promise<void> {
  mkdirSync('/run/netns', { recursive: true })
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(
    'unshare',
    [
      '-n',
      '-m',
      '-p',
      '--fork',
      '--mount-proc',
      '--kill-child',
      process.execPath,
      '--test',
      '--test-isolation=none',
      file,
    ],
    { env: { ...env, [marker]: '1' }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const code = await new Promise(resolve => child.on('close', resolve))
  process.stdout.write(output)
  assert.equal(code, 0, `tests with real packets failed:\n${output}`)
}

/** To be called once inside: namespaces that are made here are seen here only. */
export async function prepareLab(): Promise<void> {
  const mounted = await run('mount', ['-t', 'tmpfs', 'lab', '/run/netns'])
  assert.equal(mounted.code, 0, mounted.stderr)
  await ip('link set lo up')
}

export async function ip(words: string): Promise<string> {
  const outcome = await run('ip', words.split(' '))
  assert.equal(outcome.code, 0, `ip ${words}: ${outcome.stderr}`)
  return outcome.stdout
}

export interface Guest {
  netns: string
  exec(command: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>
  /** Runs one of the small programs of lab-guest.ts; its answer is JSON. */
  play<T>(program: string, ...args: string[]): Promise<T>
  /** The same, left running; `line` resolves with what it prints next. */
  start(program: string, ...args: string[]): Running
  pings(address: string, ...options: string[]): Promise<boolean>
}

export interface Running {
  process: ChildProcess
  line(): Promise<string>
  stop(): Promise<string>
}

const programs = fileURLToPath(import.meta.resolve('./lab-guest.ts'))

export function guestIn(netns: string): Guest {
  const exec: Guest['exec'] = (command, ...args) => runIn(netns, command, args)
  return {
    netns,
    exec,
    async play(program, ...args) {
      const outcome = await exec(process.execPath, programs, program, ...args)
      assert.equal(outcome.code, 0, `${program} in ${netns}: ${outcome.stderr}`)
      return JSON.parse(outcome.stdout)
    },
    start: (program, ...args) => startIn(netns, process.execPath, [programs, program, ...args]),
    async pings(address, ...options) {
      return (await exec('ping', '-n', '-c', '1', '-W', '1', ...options, address)).code === 0
    },
  }
}

export function startIn(netns: string, command: string, args: string[]): Running {
  const child = spawn('ip', ['netns', 'exec', netns, command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  let wake = () => {}
  child.stdout.on('data', chunk => {
    text += chunk
    wake()
  })
  const closed = new Promise<void>(resolve => child.on('close', () => resolve()))
  let read = 0
  return {
    process: child,
    async line() {
      for (;;) {
        const end = text.indexOf('\n', read)
        if (end >= 0) {
          const line = text.slice(read, end)
          read = end + 1
          return line
        }
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    },
    async stop() {
      child.kill('SIGINT')
      await closed
      return text
    },
  }
}

/** A guest on a port: its device `eth0` is the far end of a pair whose near end has the tap's name, put there before the plane looks. */
export async function guestOnPort(dataplane: string, name: string, port: { id: string; mac: string }): Promise<Guest> {
  await ip(`netns add ${name}`)
  await ip(`-n ${name} link set lo up`)
  await ip(`-n ${dataplane} link add ${tapName(port.id)} type veth peer name eth0 address ${port.mac} netns ${name}`)
  await ip(`-n ${name} link set eth0 mtu 1450 up`)
  return guestIn(name)
}
