/** Whatever users do, every host comes to carry what the database wants of it: no change forgets a host that it concerns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Ids, seededIds } from '#kernel/ids.ts'
import type { HostNetworkState } from '../drivers/driver.ts'
import type { Shown } from '../fixtures/cloud.ts'
import { type HostsCloud, hostsCloud } from '../fixtures/hosts.ts'
import { hostState } from './state.ts'

const hostNames = ['h1', 'h2', 'h3']
const seeds = [1, 2, 3]
const steps = 60

/** What a step needs: the cloud, dice, and the servers of now. */
interface World {
  cloud: HostsCloud
  dice: Ids
  servers: string[]
  count: number
  external: string
  /** What hosts have carried so far. */
  seen: Set<string>
}

function pick<T>(world: World, from: readonly T[]): T | undefined {
  return from[Math.floor(world.dice.random() * from.length)]
}

const guestPorts = async ({ cloud }: World): Promise<Shown[]> =>
  (await cloud.demo.list('ports')).filter((port: Shown) => !port.device_owner.startsWith('network:'))

async function onGuestPort(world: World, change: (port: Shown) => Promise<Record<string, unknown>>): Promise<void> {
  const port = pick(world, await guestPorts(world))
  if (port) await world.cloud.demo.request('PUT', `ports/${port.id}`, { port: await change(port) })
}

async function onRouter(world: World, verb: string): Promise<void> {
  const router = pick(world, await world.cloud.demo.list('routers'))
  const subnet = pick(world, await ownSubnets(world))
  if (router && subnet) await world.cloud.demo.request('PUT', `routers/${router.id}/${verb}`, { subnet_id: subnet.id })
}

async function ownSubnets(world: World): Promise<Shown[]> {
  const all: Shown[] = await world.cloud.demo.list('subnets')
  return all.filter(subnet => subnet.network_id !== world.external)
}

const octet = (world: World) => 2 + Math.floor(world.dice.random() * 250)
const groups = ({ cloud }: World): Promise<Shown[]> => cloud.demo.list('security-groups')

/** Requests may be refused, as users' are; what counts is that hosts and database agree afterwards. */
const actions: Record<string, (world: World) => Promise<unknown>> = {
  async network({ cloud, count }) {
    const network = await cloud.demo.create('networks', { name: `n${count}` })
    await cloud.demo.create('subnets', { network_id: network.id, ip_version: 4, cidr: `10.${count}.0.0/24` })
  },
  async boot(world) {
    const network = pick(world, await world.cloud.demo.list('networks', 'router:external=false'))
    if (!network) return
    const server = `server-${world.count}`
    world.servers.push(server)
    await world.cloud.boot(world.cloud.demo, server, network.id, pick(world, hostNames)!)
  },
  async move(world) {
    const server = pick(world, world.servers)
    if (server) await world.cloud.env.services.network.bindPorts(world.cloud.ctx(), server, pick(world, hostNames)!)
  },
  async unbind(world) {
    const server = pick(world, world.servers)
    if (server) await world.cloud.env.services.network.unbindPorts(world.cloud.ctx(), server)
  },
  async release(world) {
    const server = pick(world, world.servers)
    if (server) await world.cloud.env.services.network.releasePorts(world.cloud.ctx(), server)
  },
  group: ({ cloud, count }) => cloud.demo.create('security-groups', { name: `g${count}` }),
  async rule(world) {
    const group = pick(world, await groups(world))
    const remote = pick(world, await groups(world))
    const rule = { security_group_id: group?.id, direction: 'ingress', remote_group_id: remote?.id, protocol: 'tcp' }
    await world.cloud.demo.request('POST', 'security-group-rules', { security_group_rule: rule })
  },
  async unrule(world) {
    const rule = pick(world, await world.cloud.demo.list('security-group-rules'))
    if (rule) await world.cloud.demo.delete('security-group-rules', rule.id)
  },
  async ungroup(world) {
    const group = pick(world, await groups(world))
    if (group) await world.cloud.demo.request('DELETE', `security-groups/${group.id}`)
  },
  regroup: world => onGuestPort(world, async () => ({ security_groups: [pick(world, await groups(world))?.id] })),
  pairs: world =>
    onGuestPort(world, async () => ({ allowed_address_pairs: [{ ip_address: `10.200.0.${octet(world)}` }] })),
  readdress: world =>
    onGuestPort(world, async port => {
      const { subnet_id, ip_address } = port.fixed_ips[0]
      return { fixed_ips: [{ subnet_id, ip_address: ip_address.replace(/\d+$/, octet(world)) }] }
    }),
  switch: world => onGuestPort(world, async port => ({ admin_state_up: !port.admin_state_up })),
  async resolvers(world) {
    const subnet = pick(world, await ownSubnets(world))
    if (subnet) await world.cloud.demo.update('subnets', subnet.id, { dns_nameservers: [`192.0.2.${octet(world)}`] })
  },
  async undhcp(world) {
    const subnet = pick(world, await ownSubnets(world))
    if (subnet) await world.cloud.demo.update('subnets', subnet.id, { enable_dhcp: !subnet.enable_dhcp })
  },
  async mtu(world) {
    const network = pick(world, await world.cloud.demo.list('networks', 'router:external=false'))
    if (network) await world.cloud.demo.update('networks', network.id, { mtu: 1280 + (octet(world) % 100) })
  },
  router: world =>
    world.cloud.demo.request('POST', 'routers', {
      router: { external_gateway_info: { network_id: world.external } },
    }),
  join: world => onRouter(world, 'add_router_interface'),
  leave: world => onRouter(world, 'remove_router_interface'),
  async unrouter(world) {
    const router = pick(world, await world.cloud.demo.list('routers'))
    if (router) await world.cloud.demo.request('DELETE', `routers/${router.id}`)
  },
  async ungate(world) {
    const router = pick(world, await world.cloud.demo.list('routers'))
    const info = router?.external_gateway_info ? null : { network_id: world.external }
    if (router)
      await world.cloud.demo.request('PUT', `routers/${router.id}`, { router: { external_gateway_info: info } })
  },
  async float(world) {
    const port = pick(world, await guestPorts(world))
    const floatingip = { floating_network_id: world.external, port_id: port?.id }
    await world.cloud.demo.request('POST', 'floatingips', { floatingip })
  },
  async refloat(world) {
    const floating = pick(world, await world.cloud.demo.list('floatingips'))
    const port = world.dice.random() < 0.3 ? undefined : pick(world, await guestPorts(world))
    const floatingip = { port_id: port?.id ?? null }
    if (floating) await world.cloud.demo.request('PUT', `floatingips/${floating.id}`, { floatingip })
  },
  async unfloat(world) {
    const floating = pick(world, await world.cloud.demo.list('floatingips'))
    if (floating) await world.cloud.demo.delete('floatingips', floating.id)
  },
}

const content = ({ revision: _, ...state }: HostNetworkState) => state

function note({ seen }: World, { ports, routers, security_groups }: HostNetworkState): void {
  if (ports.length > 0) seen.add('ports')
  if (routers.length > 0) seen.add('routers')
  if (routers.some(router => router.floating_ips.length > 0)) seen.add('floating IPs')
  if (security_groups.some(group => group.members.length > 1)) seen.add('members')
}

async function compare(world: World, done: string[]): Promise<void> {
  const { cloud } = world
  await cloud.settle()
  for (const [name, { plane }] of Object.entries(cloud.hosts)) {
    const wanted = await hostState(cloud.ctx(), name, null)
    const after = `${name} after ${done.join(', ')}`
    assert.deepEqual(content(plane.applied!), content(JSON.parse(JSON.stringify(wanted))), after)
    assert.equal(plane.applied!.revision, wanted!.revision, after)
    note(world, plane.applied!)
  }
}

for (const seed of seeds)
  test(`hosts and database agree whatever is done (seed ${seed})`, async () => {
    const dice = seededIds(seed)
    await using cloud = await hostsCloud(hostNames, { ids: dice })
    const external = await cloud.admin.create('networks', { 'router:external': true })
    await cloud.admin.create('subnets', { network_id: external.id, ip_version: 4, cidr: '203.0.113.0/24' })
    const world: World = { cloud, dice, servers: [], count: 0, external: external.id, seen: new Set() }
    const names = ['network', 'network', 'router', 'router', 'join', 'join', 'boot', 'boot', 'group', 'rule', 'float']
    const done: string[] = []
    for (; world.count < steps; world.count++) {
      const name = names.shift() ?? pick(world, Object.keys(actions))!
      await actions[name]!(world)
      done.push(name)
      if (world.count % 2 === 0) await compare(world, done)
    }
    await compare(world, done)
    // The run was about something.
    assert.deepEqual([...world.seen].sort(), ['floating IPs', 'members', 'ports', 'routers'])
  })
