/** What goes wrong behind the plane's back is put right: things taken away, things left over, a process killed at any moment. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { mac, plainNetwork, plainPort, stateOf } from '../driver.contract.ts'
import type { DataPlane, HostNetworkState, RouterSpec } from '../driver.ts'
import { run } from './exec.ts'
import { configure, filesOf, type Guest, guestOnPort, inLab, ip, planeIn, rule, takeDown } from './lab.ts'
import { bridgeName, dhcpInner, planeNames, tapName } from './names.ts'

const names = planeNames('repair')
const outside = { ...plainNetwork(9, '203.0.113.0/24'), physical_network: 'public' }
outside.dhcp_port = undefined
const network = plainNetwork(1)
const rules = [rule({ direction: 'egress' }), rule({ protocol: 'icmp' })]
const group = { id: 'open', stateful: true, members: [], rules }
const ports = [plainPort(network, 11, ['open']), plainPort(network, 12, ['open'])]
const [a, b] = ports as [(typeof ports)[0], (typeof ports)[0]]
const router: RouterSpec = {
  id: 'router-1',
  admin_state_up: true,
  interfaces: [{ port_id: 'r1-in', network_id: network.id, mac: mac(5, 1), addresses: ['10.1.0.1/24'] }],
  gateway: {
    port_id: 'r1-gw',
    network_id: outside.id,
    mac: mac(5, 3),
    addresses: ['203.0.113.10/24'],
    enable_snat: true,
    gateway_ips: ['203.0.113.1'],
  },
  floating_ips: [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.1.0.11' }],
  routes: [],
}
const full: HostNetworkState = stateOf(1, {
  networks: [network, outside],
  ports,
  security_groups: [group],
  routers: [router],
})

if (process.argv[2] === 'converge') {
  // The child that is killed: it makes everything and takes it down, and ends the moment its nth command has begun, which goes on alone.
  let left = Number(process.argv[3])
  subscribe('child_process', () => {
    if (--left === 0) queueMicrotask(() => process.kill(process.pid, 'SIGKILL'))
  })
  // The clock's timers alone do not keep a process alive.
  createServer().listen(0, '127.0.0.1')
  const plane = planeIn('repair')
  await plane.converge(full)
  await plane.converge({ ...stateOf(0), revision: 2 })
  process.exit(0)
}

await inLab(import.meta.url, 'a data plane repairs itself', () => {
  let plane: DataPlane

  async function converge(state: HostNetworkState = full): Promise<void> {
    assert.deepEqual((await plane.converge(state)).problems, [])
  }
  /** Guests' devices are the test's; they come after the plane has made its namespace, and an audit finds them. */
  async function guests(): Promise<[Guest, Guest]> {
    for (const port of ports) await run('ip', ['-n', 'repair-dp', 'link', 'del', tapName(port.id)])
    const made = [await guestOnPort('repair-dp', 'guest-a', a), await guestOnPort('repair-dp', 'guest-b', b)] as const
    await configure(made[0], network, a)
    await configure(made[1], network, b)
    await converge()
    return [...made]
  }
  async function works(guest: Guest): Promise<void> {
    for (const address of ['10.1.0.12', '10.1.0.2', '203.0.113.1']) assert.ok(await guest.reaches(address), address)
    const page = await guest.play<{ status: number }>('fetch', '169.254.169.254', '/')
    assert.equal(page.status, 503)
    assert.deepEqual(await guest.play('lookup', '10.1.0.2', 'A', 'guest-12'), ['10.1.0.12'])
    assert.equal((await run('ping', ['-n', '-c', '1', '-W', '1', '203.0.113.50'])).code, 0)
  }

  beforeEach(() => {
    plane = planeIn('repair')
  })
  afterEach(async () => {
    for (const name of ['guest-a', 'guest-b']) await run('ip', ['netns', 'del', name])
    assert.deepEqual(await takeDown(plane, 'repair'), [])
    const { stdout } = await run('ps', ['-e', '-o', 'stat=,args='])
    const alive = stdout.split('\n').filter(line => line.includes(filesOf('repair')) && !line.startsWith('Z'))
    assert.deepEqual(alive, [])
  })

  test('an audit brings back devices, addresses, rules and namespaces that somebody took', async () => {
    await converge()
    const [guest] = await guests()
    await works(guest)
    const tables = async () =>
      (await run('nft', ['list', 'tables'])).stdout + (await ip('netns exec repair-dp nft list tables'))
    const complete = await tables()
    for (const [program, loss] of [
      ['ip', `-n repair-dp link set ${bridgeName(network.id)} down`],
      ['ip', `-n ${names.dhcp(network.id)} addr flush dev ${dhcpInner(network.dhcp_port!.id)}`],
      ['ip', `netns del ${names.router(router.id)}`],
      ['ip', `netns del ${names.dhcp(network.id)}`],
      ['ip', `link del ${names.hostDevice('public')}`],
      ['nft', 'flush ruleset'],
      ['ip', 'netns exec repair-dp nft flush ruleset'],
    ] as const) {
      assert.equal((await run(program, loss.split(' '))).code, 0, loss)
      await converge()
      await works(guest)
      assert.equal(await tables(), complete)
    }
  })

  test('what is left over goes: unknown taps, namespaces, half-made names', async () => {
    await converge()
    await ip('-n repair-dp tuntap add dev tapstray mode tap')
    await ip('netns add repair-router-stray')
    await writeFile('/run/netns/repair-dhcp-half', '')
    await converge()
    const left = `${await ip('netns list')} ${await ip('-n repair-dp -br link')}`
    assert.ok(!/stray|half/.test(left), left)
  })

  test('a purge takes everything also when the pidfiles are lost', async () => {
    await converge()
    await rm(filesOf('repair'), { recursive: true })
    await writeFile('/run/netns/repair-dhcp-half', '')
  })

  test('a pidfile that names somebody else is not believed', async () => {
    await converge()
    const folder = join(filesOf('repair'), 'dnsmasq', `dhcp-${network.id}`)
    process.kill(Number(await readFile(join(folder, 'pid'), 'utf8')), 'SIGKILL')
    const other = spawn('sleep', ['60'])
    await writeFile(join(folder, 'pid'), String(other.pid))
    await plane[Symbol.asyncDispose]()
    plane = planeIn('repair')
    await converge()
    assert.equal(other.exitCode ?? other.signalCode, null)
    other.kill('SIGKILL')
    assert.notEqual(Number(await readFile(join(folder, 'pid'), 'utf8')), other.pid)
  })

  test('killed at any moment, the next process finishes the work', async () => {
    let code: number | null = null
    for (let nth = 1; code === null; nth += 7) {
      const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'converge', String(nth)], {
        env: { ...process.env, NEPHOS_LAB_FILES: dirname(filesOf('repair')) },
        stdio: 'inherit',
      })
      code = await new Promise(resolve => child.on('close', resolve))
      await plane[Symbol.asyncDispose]()
      plane = planeIn('repair')
      await converge()
    }
    assert.equal(code, 0, 'at last it came to its end')
    const [guest] = await guests()
    await works(guest)
  })
})
