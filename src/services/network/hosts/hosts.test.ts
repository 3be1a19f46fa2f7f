import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type NetworkCloud, networkWithSubnet } from '../fixtures/cloud.ts'
import { type HostsCloud, hostsCloud } from '../fixtures/hosts.ts'

const never = new AbortController().signal
const wire = (cloud: NetworkCloud, server: string, host: string, signal = never) =>
  cloud.env.services.network.wire(cloud.ctx(), server, host, signal)

const defaultGroup = async (cloud: NetworkCloud) =>
  (await cloud.demo.list('security-groups', 'name=default'))[0].id as string

const ingress = (group: string, port: number) => ({
  security_group_id: group,
  direction: 'ingress',
  protocol: 'tcp',
  port_range_min: port,
  port_range_max: port,
})

/** How often each host's plane was given a state while `work` was done. */
async function converged(cloud: HostsCloud, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const count = () => Object.entries(cloud.hosts).map(([name, { plane }]) => [name, plane.revisions.length] as const)
  await cloud.settle()
  const before = new Map(count())
  await work()
  await cloud.settle()
  return Object.fromEntries(count().map(([name, n]) => [name, n - before.get(name)!]))
}

onEachEngine('a port that is bound to a host is wired there, and then ACTIVE', async database => {
  await using cloud = await hostsCloud(['h1', 'h2'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  const port = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  assert.deepEqual(await wire(cloud, 'web', 'h1'), [{ port_id: port.id, mac: port.mac_address, mtu: network.mtu }])
  assert.equal((await cloud.demo.show('ports', port.id)).status, 'ACTIVE')
  const { applied } = cloud.hosts.h1!.plane
  assert.deepEqual(
    applied!.ports.map(({ id, mac, ips }) => [id, mac, ips[0]!.ip_address]),
    [[port.id, port.mac_address, port.fixed_ips[0]!.ip_address]],
  )
  assert.deepEqual(
    applied!.networks.map(({ dns_domain, leases }) => [dns_domain, leases.map(lease => lease.hostname)]),
    [['openstacklocal.', ['web']]],
  )
  assert.deepEqual(cloud.hosts.h2!.plane.applied!.ports, [])
})

onEachEngine('a port that is taken off its host is carried no more', async database => {
  await using cloud = await hostsCloud(['h1'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  const port = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await wire(cloud, 'web', 'h1')
  await cloud.env.services.network.unbindPorts(cloud.ctx(), 'web')
  await cloud.settle()
  const { ports, networks, security_groups } = cloud.hosts.h1!.plane.applied!
  assert.deepEqual([ports, networks, security_groups], [[], [], []])
  assert.equal((await cloud.demo.show('ports', port.id)).status, 'DOWN')
})

onEachEngine('a rule reaches the hosts of its group, and no others', async database => {
  await using cloud = await hostsCloud(['h1', 'h2', 'h3'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  const { network: foreign } = await networkWithSubnet(cloud.other)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await cloud.boot(cloud.other, 'theirs', foreign.id, 'h2')
  const group = await defaultGroup(cloud)
  let rule = { id: '' }
  const made = await converged(cloud, async () => {
    rule = await cloud.demo.create('security-group-rules', ingress(group, 22))
  })
  assert.deepEqual(made, { h1: 1, h2: 0, h3: 0 })
  const rules = () => cloud.hosts.h1!.plane.applied!.security_groups[0]!.rules.map(one => one.id)
  assert.ok(rules().includes(rule.id))
  await cloud.demo.delete('security-group-rules', rule.id)
  await cloud.settle()
  assert.ok(!rules().includes(rule.id))
})

onEachEngine('who lets in the members of a group hears of new members', async database => {
  await using cloud = await hostsCloud(['db', 'web', 'idle'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  const { network: second } = await networkWithSubnet(cloud.demo, '10.2.0.0/24')
  const clients = await cloud.demo.create('security-groups', { name: 'clients' })
  const servers = await cloud.demo.create('security-groups', { name: 'servers' })
  await cloud.demo.create('security-group-rules', { ...ingress(servers.id, 5432), remote_group_id: clients.id })
  const server = await cloud.boot(cloud.demo, 'postgres', network.id, 'db')
  await cloud.demo.update('ports', server.id, { security_groups: [servers.id] })
  const client = await cloud.boot(cloud.demo, 'shop', second.id, 'web')
  const joined = await converged(cloud, () => cloud.demo.update('ports', client.id, { security_groups: [clients.id] }))
  assert.deepEqual({ ...joined, web: 'once or more' }, { db: 1, web: 'once or more', idle: 0 })
  const members = () => cloud.hosts.db!.plane.applied!.security_groups.find(group => group.id === clients.id)?.members
  assert.deepEqual(members(), [client.fixed_ips[0]!.ip_address])
  await cloud.demo.update('ports', client.id, { allowed_address_pairs: [{ ip_address: '10.9.0.0/16' }] })
  await cloud.settle()
  assert.deepEqual(members(), [client.fixed_ips[0]!.ip_address, '10.9.0.0/16'].sort())
  await cloud.env.services.network.releasePorts(cloud.ctx(), 'shop')
  await cloud.settle()
  assert.deepEqual(members(), [])
})

test('many changes at once are few runs', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  const group = await defaultGroup(cloud)
  const runs = await converged(cloud, async () => {
    cloud.hosts.h1!.plane.faults.delay(50)
    for (let port = 1; port <= 20; port++) await cloud.demo.create('security-group-rules', ingress(group, port))
  })
  assert.equal(runs.h1, 2)
  assert.equal(cloud.hosts.h1!.plane.applied!.security_groups[0]!.rules.length, 4 + 20)
})

onEachEngine('a floating IP and its router show up on the host of the router', async database => {
  await using cloud = await hostsCloud(['h1', 'h2'], { database })
  const outside = await cloud.admin.create('networks', {
    name: 'public',
    'router:external': true,
    'provider:network_type': 'flat',
    'provider:physical_network': 'physnet1',
  })
  const cidr = '203.0.113.0/24'
  await cloud.admin.create('subnets', { network_id: outside.id, ip_version: 4, cidr, enable_dhcp: false })
  const { network, subnet } = await networkWithSubnet(cloud.demo)
  const router = await cloud.demo.create('routers', { external_gateway_info: { network_id: outside.id } })
  await cloud.demo.request('PUT', `routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
  const port = await cloud.boot(cloud.demo, 'web', network.id, 'h2')
  const floating = await cloud.demo.create('floatingips', { floating_network_id: outside.id, port_id: port.id })
  await cloud.settle()

  const { applied } = cloud.hosts.h1!.plane
  const [carried] = applied!.routers
  assert.equal(carried!.id, router.id)
  assert.deepEqual(carried!.interfaces[0]!.addresses, ['10.1.0.1/24'])
  assert.deepEqual(carried!.gateway!.gateway_ips, ['203.0.113.1'])
  assert.equal(carried!.gateway!.enable_snat, true)
  assert.deepEqual(carried!.floating_ips, [
    { id: floating.id, floating_ip: floating.floating_ip_address, fixed_ip: port.fixed_ips[0]!.ip_address },
  ])
  assert.deepEqual(applied!.networks.map(one => one.physical_network).sort(), ['physnet1', undefined])
  assert.deepEqual(
    applied!.networks.map(one => one.dhcp_port),
    [undefined, undefined],
  )
  assert.equal((await cloud.demo.show('floatingips', floating.id)).status, 'ACTIVE')
  const routerPorts = await cloud.admin.list('ports', `device_id=${router.id}`)
  assert.deepEqual(
    routerPorts.map(one => one.status),
    ['ACTIVE', 'ACTIVE'],
  )

  const freed = await converged(cloud, () => cloud.demo.update('floatingips', floating.id, { port_id: null }))
  assert.deepEqual(freed, { h1: 1, h2: 0 })
  assert.deepEqual(cloud.hosts.h1!.plane.applied!.routers[0]!.floating_ips, [])
  assert.equal((await cloud.demo.show('floatingips', floating.id)).status, 'DOWN')
})

test('a router is not given to a host that is dead', async () => {
  await using cloud = await hostsCloud(['a', 'b'])
  await cloud.hosts.a!.stop()
  await cloud.pass(76_000)
  const router = await cloud.demo.create('routers', {})
  await cloud.settle()
  assert.deepEqual(
    cloud.hosts.b!.plane.applied!.routers.map(one => one.id),
    [router.id],
  )
})

test('a router that was made before there was a host is taken by the first', async () => {
  await using cloud = await hostsCloud([])
  const { subnet } = await networkWithSubnet(cloud.demo)
  const router = await cloud.demo.create('routers', {})
  await cloud.demo.request('PUT', `routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
  const host = await cloud.addHost('h1')
  await cloud.settle()
  assert.deepEqual(
    host.plane.applied!.routers.map(one => one.id),
    [router.id],
  )
})

onEachEngine('a call that was lost is found out by the next report', async database => {
  await using cloud = await hostsCloud(['h1'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  await cloud.settle()
  const deaf = cloud.deaf()
  const port = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await cloud.settle()
  assert.deepEqual(cloud.hosts.h1!.plane.applied!.ports, [])
  deaf[Symbol.dispose]()
  await cloud.pass(10_000)
  await cloud.settle()
  assert.equal((await cloud.demo.show('ports', port.id)).status, 'ACTIVE')
})

test('a plane that failed is tried again', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  cloud.hosts.h1!.plane.faults.fail('no netlink today', 2)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await cloud.settle()
  assert.deepEqual(cloud.hosts.h1!.plane.applied!.ports, [])
  await cloud.pass(30_000)
  assert.equal(cloud.hosts.h1!.plane.applied!.ports.length, 1)
})

test('an agent that starts again on a quiet host changes no status', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  const port = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await wire(cloud, 'web', 'h1')
  await cloud.hosts.h1!.stop()
  await cloud.hosts.h1!.start()
  await settle()
  assert.equal((await cloud.demo.show('ports', port.id)).status, 'ACTIVE')
  await cloud.settle()
  assert.equal((await cloud.demo.show('ports', port.id)).status, 'ACTIVE')
})

test('what is gone is noticed: an agent is dead when it no longer reports', async () => {
  await using cloud = await hostsCloud(['h1'])
  const agents = () => cloud.admin.list('agents')
  const alive = async () => [...new Set((await agents()).map(agent => agent.alive))]
  assert.deepEqual((await agents()).map(agent => agent.agent_type).sort(), [
    'DHCP agent',
    'L3 agent',
    'Linux bridge agent',
    'Metadata agent',
  ])
  await cloud.pass(300_000)
  assert.deepEqual(await alive(), [true])
  await cloud.hosts.h1!.stop()
  await cloud.pass(76_000)
  assert.deepEqual(await alive(), [false])
  await cloud.hosts.h1!.start()
  await cloud.settle()
  assert.deepEqual([await alive(), (await agents()).length], [[true], 4])
})

test('a quiet host costs few questions, and is looked at again from time to time', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await cloud.settle()
  const before = { statements: cloud.env.database.statements(), runs: cloud.hosts.h1!.plane.revisions.length }
  await cloud.pass(60_000)
  assert.ok(cloud.env.database.statements() - before.statements <= 6 * 2)
  assert.equal(cloud.hosts.h1!.plane.revisions.length, before.runs)
  await cloud.pass(300_000)
  assert.equal(cloud.hosts.h1!.plane.revisions.length, before.runs + 1)
})

test("guests' requests for metadata are answered by compute, bytes as they are", async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  const port = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await wire(cloud, 'web', 'h1')
  const asked: unknown[] = []
  const bytes = Buffer.from([0, 255, 10, 128])
  const metadata = async (_ctx: unknown, request: unknown) => {
    asked.push(request)
    return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: bytes }
  }
  Object.assign(cloud.env.services, { compute: { ...cloud.env.services.compute, metadata } })
  const path = '/openstack/latest/user_data'
  const from = (source_ip: string) =>
    cloud.hosts.h1!.plane.request({
      network_id: network.id,
      source_ip,
      path,
      headers: { 'x-forwarded-for': '1.2.3.4' },
    })
  const answer = await from(port.fixed_ips[0]!.ip_address)
  assert.deepEqual([answer.status, answer.body], [200, bytes])
  assert.deepEqual(asked, [{ server_id: 'web', path, method: 'GET', body: '' }])
  assert.equal((await from('10.2.0.200')).status, 404)
})
