/** The Linux plane with real packets: guests, routers and an outside, all on a machine of the test's own. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import { plainNetwork, plainPort, planeContract, stateOf } from '../driver.contract.ts'
import type { DataPlane, HostNetworkState, RuleSpec } from '../driver.ts'
import { run } from './exec.ts'
import { type Guest, guestOnPort, insideLab, labObstacle, prepareLab, runInLab } from './lab.ts'
import { linuxPlane } from './plane.ts'

const obstacle = await labObstacle()
if (!insideLab) {
  test('the Linux plane carries real packets', { skip: obstacle }, () => runInLab(fileURLToPath(import.meta.url)))
} else {
  await prepareLab()
  const dir = await mkdtemp(join(tmpdir(), 'nephos-plane-'))
  // dnsmasq gives up its privileges, and reads its files again afterwards.
  await chmod(dir, 0o755)
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  const planeWith = (prefix: string) =>
    linuxPlane({
      prefix,
      dir: join(dir, prefix),
      log: silentLog(),
      clock: systemClock(),
      physical_networks: { public: { host_address: '203.0.113.1/24', nat: true } },
      nodePath: process.execPath,
    })

  planeContract('linux', async () => {
    const plane = planeWith('contract')
    return {
      plane,
      async restart() {
        await plane[Symbol.asyncDispose]()
        return planeWith('contract')
      },
      async [Symbol.asyncDispose]() {
        await plane.purge()
        await plane[Symbol.asyncDispose]()
        assert.deepEqual(await remains('contract'), [])
      },
    }
  })

  describe('one network', () => oneNetwork(planeWith))
}

/** Namespaces and devices that still bear a prefix. */
async function remains(prefix: string): Promise<string[]> {
  const namespaces = (await run('ip', ['netns', 'list'])).stdout
  const links = (await run('ip', ['-br', 'link'])).stdout
  return `${namespaces}\n${links}`.split('\n').filter(line => line.startsWith(`${prefix}-`))
}

function rule(parts: Partial<RuleSpec>): RuleSpec {
  return {
    id: `rule-${randomBytes(4).toString('hex')}`,
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

function oneNetwork(planeWith: (prefix: string) => DataPlane): void {
  const network = plainNetwork(1)
  const group = { id: 'group-1', stateful: true, members: ['10.1.0.11', '10.1.0.12'], rules: [] as RuleSpec[] }
  const [a, b] = [plainPort(network, 11, [group.id]), plainPort(network, 12, [group.id])]
  let plane: DataPlane
  let revision = 0
  let [guestA, guestB]: Guest[] = []
  const allOut = rule({ direction: 'egress' })
  const icmp = rule({ protocol: 'icmp' })
  const state = (parts: Partial<HostNetworkState> = {}) =>
    stateOf(++revision, { networks: [network], ports: [a, b], security_groups: [group], ...parts })

  before(async () => {
    await run('ip', ['netns', 'add', 'one-dp'])
    guestA = await guestOnPort('one-dp', 'guest-a', a)
    guestB = await guestOnPort('one-dp', 'guest-b', b)
    plane = planeWith('one')
    group.rules = [allOut, icmp]
    const report = await plane.converge(state())
    assert.deepEqual(report.problems, [])
  })
  after(async () => {
    await plane.purge()
    await plane[Symbol.asyncDispose]()
    assert.deepEqual(await remains('one'), [])
  })

  test('DHCP gives each guest its address, gateway, name server, mtu and the route to metadata', async () => {
    for (const [guest, port] of [
      [guestA!, a],
      [guestB!, b],
    ] as const) {
      await guest.exec('ip', 'route', 'add', 'default', 'dev', 'eth0')
      const { ack } = await guest.play<{ ack: { address: string; options: Record<string, string> } }>('dhcp', port.mac)
      assert.equal(ack.address, port.ips[0]!.ip_address)
      assert.equal(ack.options[3], '0a010001')
      assert.equal(ack.options[6], '0a010002')
      assert.equal(ack.options[26], '05aa')
      assert.equal(ack.options[121], '20a9fea9fe0a010002000a010001')
      await guest.exec('ip', 'route', 'del', 'default')
      await guest.exec('ip', 'addr', 'add', `${ack.address}/24`, 'dev', 'eth0')
      await guest.exec('ip', 'route', 'add', '169.254.169.254', 'via', '10.1.0.2')
    }
  })

  test('guests ping each other', async () => {
    assert.ok(await guestA!.pings('10.1.0.12'))
    assert.ok(await guestB!.pings('10.1.0.11'))
  })
}
