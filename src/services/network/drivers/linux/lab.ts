/** For tests with real packets: a machine of their own (namespaces of network, mounts and processes), and guests in it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import type { DataPlane, NetworkSpec, PortSpec, RuleSpec } from '../driver.ts'
import { run, runIn } from './exec.ts'
import { tapName } from './names.ts'
import { linuxPlane } from './plane.ts'

export const clock = systemClock()

const marker = 'NEPHOS_LAB'

/** Why tests with real packets cannot run here; undefined when they can. */
async function obstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  for (const tool of ['ip', 'nft', 'dnsmasq', 'conntrack', 'arping', 'ping', 'unshare']) {
    const args = ['ip', 'ping', 'arping'].includes(tool) ? ['-V'] : ['--version']
    if ((await run(tool, args)).code === 127) return `needs ${tool}`
  }
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun'
  return undefined
}

/**
 * Declares the tests of a file with real packets. They run on a machine of their own (namespaces of network, mounts and processes), which
 * is gone with everything in it when they end; where that cannot be made, one skipped test says why.
 */
export async function inLab(url: string, title: string, declare: () => void): Promise<void> {
  if (process.env[marker] !== '1') {
    test(title, { skip: await obstacle() }, () => runAgain(fileURLToPath(url)))
    return
  }
  const mounted = await run('mount', ['-t', 'tmpfs', 'lab', '/run/netns'])
  assert.equal(mounted.code, 0, mounted.stderr)
  await ip('link set lo up')
  // What a failed test left running would keep the others waiting.
  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL')
  })
  declare()
}

async function runAgain(file: string): Promise<void> {
  mkdirSync('/run/netns', { recursive: true })
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const namespaces = ['-n', '-m', '-p', '--fork', '--mount-proc', '--kill-child']
  const node = [process.execPath, '--test', '--test-isolation=none', '--test-reporter=spec', file]
  const child = spawn('unshare', [...namespaces, ...node], {
    env: { ...env, [marker]: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 480_000,
    killSignal: 'SIGKILL',
  })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const code = await new Promise(resolve => child.on('close', resolve))
  if (code !== 0) throw new Error(`tests with real packets failed\n${failuresIn(output)}`)
  process.stdout.write(output)
}

/** The reporter repeats what failed at its end; a process that was killed did not come so far. */
function failuresIn(output: string): string {
  const start = output.indexOf('failing tests:')
  return start < 0 ? `(it did not end)\n${output.slice(-8000)}` : output.slice(start)
}

/** A child of a test keeps its files where the test does. */
let directory = process.env.NEPHOS_LAB_FILES

/** Where the plane of a prefix keeps its files. */
export function filesOf(prefix: string): string {
  if (!directory) {
    const made = mkdtempSync(join(tmpdir(), 'nephos-plane-'))
    // dnsmasq gives up its privileges, and reads its files again afterwards.
    chmodSync(made, 0o755)
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
    directory = made
  }
  return join(directory, prefix)
}

/** A plane with a prefix of its own; the same prefix again is the same host after a restart. */
export function planeIn(prefix: string): DataPlane {
  return linuxPlane({
    prefix,
    dir: filesOf(prefix),
    log: silentLog(),
    clock,
    physical_networks: { public: { host_address: '203.0.113.1/24', nat: true } },
    nodePath: process.execPath,
  })
}

/** Takes everything of a plane down and says what it left behind: namespaces, devices, tables, processes. */
export async function takeDown(plane: DataPlane, prefix: string): Promise<string[]> {
  await plane.purge()
  await plane[Symbol.asyncDispose]()
  const namespaces = (await run('ip', ['netns', 'list'])).stdout
  const links = (await run('ip', ['-br', 'link'])).stdout
  const tables = (await run('nft', ['list', 'tables'])).stdout
  const left = `${namespaces}\n${links}`.split('\n').filter(line => line.startsWith(`${prefix}-`))
  const files = existsSync(filesOf(prefix)) ? readdirSync(filesOf(prefix)) : []
  return [...left, ...tables.split('\n').filter(line => line.endsWith(` ${prefix}`)), ...files]
}

export function rule(parts: Partial<RuleSpec>): RuleSpec {
  return {
    id: randomBytes(4).toString('hex'),
    direction: 'ingress',
    ethertype: 'IPv4',
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: null,
    ...parts,
  }
}

export async function ip(words: string): Promise<string> {
  const outcome = await run('ip', words.split(' '))
  assert.equal(outcome.code, 0, `ip ${words}: ${outcome.stderr}`)
  return outcome.stdout
}

export interface Guest {
  netns: string | null
  exec(command: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>
  /** Runs one of the small programs of lab-guest.ts; its answer is JSON. */
  play<T>(program: string, ...args: string[]): Promise<T>
  /** The same, left running; `line` resolves with what it prints next. */
  start(program: string, ...args: string[]): Running
  pings(address: string, ...options: string[]): Promise<boolean>
  /** Whether an address answers within some seconds: a bridge's new port takes up to one until it forwards. */
  reaches(address: string): Promise<boolean>
}

export interface Running {
  process: ChildProcess
  line(): Promise<string>
  /** Everything printed since, as far as it is there. */
  skip(): string
  /** Interrupts it; resolves with all that it printed. */
  stop(): Promise<string>
}

const programs = fileURLToPath(import.meta.resolve('./lab-guest.ts'))

/** `null` is the host itself. */
export function guestIn(netns: string | null): Guest {
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
    async reaches(address) {
      for (let look = 0; look < 20; look++) {
        if ((await exec('ping', '-n', '-c', '1', '-W', '0.3', address)).code === 0) return true
        // An unreachable address is told at once.
        await clock.sleep(50)
      }
      return false
    },
  }
}

const running: ChildProcess[] = []

export function startIn(netns: string | null, command: string, args: string[]): Running {
  const [program, words] = netns === null ? [command, args] : ['ip', ['netns', 'exec', netns, command, ...args]]
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
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
        const before = text.length
        const patience = new AbortController()
        const awake = new Promise<void>(resolve => {
          wake = resolve
        })
        await Promise.race([awake, clock.sleep(30_000, patience.signal).catch(() => {})])
        patience.abort()
        assert.ok(text.length > before, `${command} ${args.at(-1)} in ${netns} printed nothing more for 30 s`)
      }
    },
    skip() {
      const rest = text.slice(read)
      read = text.length
      return rest
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

/** What a guest's network set-up would do with its lease. */
export async function configure(guest: Guest, network: NetworkSpec, port: PortSpec): Promise<void> {
  const lines: string[] = []
  for (const { subnet_id, ip_address } of port.ips) {
    const subnet = network.subnets.find(candidate => candidate.id === subnet_id)!
    lines.push(`addr add ${ip_address}/${subnet.cidr.split('/')[1]} dev eth0 ${subnet.ip_version === 6 ? 'nodad' : ''}`)
    if (subnet.gateway_ip) lines.push(`route add default via ${subnet.gateway_ip}`)
    const server = network.dhcp_port?.ips.find(ip => ip.subnet_id === subnet_id)?.ip_address
    if (server && subnet.ip_version === 4) lines.push(`route add 169.254.169.254 via ${server}`)
  }
  const done = await run('ip', ['-n', guest.netns!, '-batch', '-'], { input: `${lines.join('\n')}\n` })
  assert.equal(done.code, 0, done.stderr)
}

/** A running ping: how many came back, and whether more do. */
export function pinging(
  guest: Guest,
  address: string,
): {
  answers(count: number): Promise<void>
  stop(): Promise<{ sent: number; received: number }>
  quiet(): Promise<boolean>
} {
  const running = startIn(guest.netns, 'ping', ['-n', '-i', '0.05', address])
  return {
    async answers(count) {
      for (let seen = 0; seen < count; ) if ((await running.line()).includes('bytes from')) seen++
    },
    /** No answer comes any more. */
    async quiet() {
      await clock.sleep(200)
      running.skip()
      await clock.sleep(400)
      return !running.skip().includes('bytes from')
    },
    async stop() {
      const counts = /(\d+) packets transmitted, (\d+) received/.exec(await running.stop())
      return { sent: Number(counts?.[1]), received: Number(counts?.[2]) }
    },
  }
}
