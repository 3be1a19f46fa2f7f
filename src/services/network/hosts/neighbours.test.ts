import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { type Client, UnsupportedVersion } from '#kernel/bus/methods.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { desiredState } from '../agent/desired.ts'
import type { NetworkControlMethods } from '../agent/methods.ts'
import type { HostNetworkState } from '../drivers/driver.ts'
import { type NetworkCloud, networkWithSubnet } from '../fixtures/cloud.ts'
import { type HostsCloud, hostsCloud } from '../fixtures/hosts.ts'
import { changed } from '../revision.ts'
import { hostState } from './state.ts'
import { forgetChanges } from './store-neighbours.ts'

/** What hosts ask of the control plane while `work` is done, and how many ports they are told of. */
async function asked(cloud: HostsCloud, work: () => Promise<unknown>): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {}
  const { call } = cloud.env.bus
  cloud.env.bus.call = async (subject, payload, options) => {
    const answer = await call(subject, payload, options)
    const { method } = payload as { method: string }
    const { value } = answer as {
      value?: { found?: unknown[]; network?: { now: unknown[]; gone: unknown[] }[] } | null
    }
    const told = value?.found?.length ?? (value?.network ?? []).flatMap(({ now, gone }) => [...now, ...gone]).length
    if (/neighbour|hostState/.test(method)) found[method] = [...(found[method] ?? []), told]
    return answer
  }
  await work()
  await cloud.settle()
  cloud.env.bus.call = call
  return found
}

async function agrees(cloud: HostsCloud, host: string): Promise<HostNetworkState> {
  const { applied } = cloud.hosts[host]!.plane
  assert.deepEqual(applied, JSON.parse(JSON.stringify(await hostState(cloud.ctx(), host, null))))
  return applied!
}

const release = (cloud: NetworkCloud, server: string) => cloud.env.services.network.releasePorts(cloud.ctx(), server)

onEachEngine('of its neighbours a host is told only those that changed', async database => {
  await using cloud = await hostsCloud(['h1', 'h2'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  for (let i = 0; i < 5; i++) await cloud.boot(cloud.demo, `first-${i}`, network.id, 'h1')
  await cloud.settle()
  const more = await asked(cloud, () => cloud.boot(cloud.demo, 'second', network.id, ''))
  assert.deepEqual(more, { neighbourChanges: [1] })
  assert.equal((await agrees(cloud, 'h1')).networks[0]!.leases.length, 6)
  const fewer = await asked(cloud, () => release(cloud, 'second'))
  assert.deepEqual(fewer, { neighbourChanges: [1] })
  assert.equal((await agrees(cloud, 'h1')).networks[0]!.leases.length, 5)
})

onEachEngine('many neighbours come in pages, and a host that has missed much is told all of them', async database => {
  await using cloud = await hostsCloud(['h1', 'h2'], { database })
  const { network } = await networkWithSubnet(cloud.demo, '10.64.0.0/16')
  const { id } = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await cloud.settle()
  await copies(cloud, id, 1100)
  const all = await asked(cloud, () => cloud.boot(cloud.demo, 'other', network.id, 'h2'))
  assert.deepEqual(all.neighbours, [500, 500, 102, 500, 500, 102])
  assert.equal((await agrees(cloud, 'h2')).security_groups[0]!.members.length, 1102)

  const deaf = cloud.deaf()
  await cloud.boot(cloud.demo, 'third', network.id, 'h1')
  await cloud.ctx().transaction(tx => forgetChanges(tx.db, 0))
  deaf[Symbol.dispose]()
  const again = await asked(cloud, () => cloud.pass(10_000))
  assert.equal(again.neighbours!.filter(count => count === 103).length, 4)
  await agrees(cloud, 'h1')
  await agrees(cloud, 'h2')
})

onEachEngine('what users say of their ports makes no answer longer than the bus takes', async database => {
  await using cloud = await hostsCloud(['h1', 'h2'], { database })
  const { network } = await networkWithSubnet(cloud.demo, '10.64.0.0/16')
  const { id } = await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  const long = 'ü'.repeat(250)
  const extra_dhcp_opts = Array.from({ length: 64 }, (_, n) => ({ opt_name: `${long}${n}`, opt_value: long }))
  await cloud.demo.update('ports', id, { extra_dhcp_opts })
  await copies(cloud, id, 20)
  const all = await asked(cloud, () => cloud.boot(cloud.demo, 'other', network.id, 'h2'))
  // Three of the network, one of the group: ten such ports fill an answer.
  assert.deepEqual([all.neighbours!.length, all.neighbours!.reduce((sum, count) => sum + count)], [4, 44])
  const { leases } = (await agrees(cloud, 'h2')).networks[0]!

  const deaf = cloud.deaf()
  await cloud.ctx().transaction(ctx => changed(ctx, { ports: leases.map(lease => lease.port_id) }))
  deaf[Symbol.dispose]()
  const again = await asked(cloud, () => cloud.pass(10_000))
  assert.deepEqual(again.neighbourChanges, [0, 0])
  await agrees(cloud, 'h1')
  await agrees(cloud, 'h2')
})

/** Ports like one, in the database alone. */
async function copies(cloud: HostsCloud, id: string, count: number): Promise<void> {
  const { db } = cloud.ctx()
  for (const table of ['network_ports', 'network_ip_allocations', 'network_port_security_groups']) {
    const key = table === 'network_ports' ? 'id' : 'port_id'
    const [row] = (
      await sql<Record<string, unknown>>`select * from ${sql.table(table)} where ${sql.ref(key)} = ${id}`.execute(db)
    ).rows
    // Far from its own, which is any of the network's.
    const block = Number(String(row!.ip_address).split('.')[2]) < 128 ? 128 : 1
    const list = Array.from({ length: count }, (_, n) => ({
      ...row,
      [key]: `${n.toString(16).padStart(8, '0')}${id.slice(8)}`,
      // Of no quota.
      ...('project_id' in row! && { project_id: 'elsewhere' }),
      ...('mac_address' in row! && { mac_address: `fa:16:3f:00:${hex(n >> 8)}:${hex(n & 255)}` }),
      ...('ip_address' in row! && { ip_address: `10.64.${block + (n >> 8)}.${n & 255}` }),
    }))
    for (let i = 0; i < count; i += 500)
      await db
        .insertInto(table as 'network_ports')
        .values(list.slice(i, i + 500) as never)
        .execute()
  }
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0')

onEachEngine('what a process of the release before has changed is found too', async database => {
  await using cloud = await hostsCloud(['h1'], { database })
  const { network } = await networkWithSubnet(cloud.demo)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  const other = await cloud.boot(cloud.demo, 'other', network.id, '')
  await cloud.settle()
  await cloud.ctx().transaction(async ({ db }) => {
    // It knows of no other columns.
    await sql`update network_revision set revision = revision + 1`.execute(db)
    await sql`update network_hosts set wanted_revision = (select revision from network_revision)`.execute(db)
    await sql`update network_ports set dns_name = 'renamed' where id = ${other.id}`.execute(db)
  })
  await cloud.pass(10_000)
  await cloud.settle()
  assert.deepEqual((await agrees(cloud, 'h1')).networks[0]!.leases.map(lease => lease.hostname).sort(), [
    'renamed',
    'web',
  ])
})

test('who lets in the members of a group hears of addresses that these formed on a new subnet', async () => {
  await using cloud = await hostsCloud(['h1', 'h2'])
  const { network } = await networkWithSubnet(cloud.demo)
  const { network: second } = await networkWithSubnet(cloud.demo, '10.2.0.0/24')
  await cloud.boot(cloud.demo, 'here', network.id, 'h1')
  await cloud.boot(cloud.demo, 'there', second.id, 'h2')
  await cloud.settle()
  const subnet = await cloud.demo.create('subnets', {
    network_id: second.id,
    ip_version: 6,
    cidr: 'fd00:2::/64',
    ipv6_address_mode: 'slaac',
    ipv6_ra_mode: 'slaac',
  })
  await cloud.settle()
  assert.equal((await agrees(cloud, 'h1')).security_groups[0]!.members.length, 3)
  await cloud.demo.delete('subnets', subnet.id)
  await cloud.settle()
  assert.equal((await agrees(cloud, 'h1')).security_groups[0]!.members.length, 2)
})

test('an agent understands a control plane of the release before', async () => {
  const whole = { revision: 7, networks: [], ports: [], security_groups: [], routers: [] }
  const control = {
    async call(method: string, _input: unknown, { version = 1 }: { version?: number } = {}) {
      if (version > 1) throw new UnsupportedVersion('control.network', method, version, 1, false)
      return whole
    },
  } as unknown as Client<NetworkControlMethods>
  const fetched = desiredState({ host: 'h1', control, alone: false, signal: new AbortController().signal })
  assert.equal(await fetched(null), whole)
})

test('what an agent had before it met a control plane of the release before is not taken for newer', async () => {
  const [first, second] = [5, 7].map(revision => ({
    ...{ revision, networks: [], ports: [], security_groups: [] },
    routers: [{ id: `of ${revision}` }],
  }))
  const known: unknown[] = []
  let served = 2
  const control = {
    async call(method: string, input: { known: number | null }, { version = 1 }: { version?: number } = {}) {
      if (version > served) throw new UnsupportedVersion('control.network', method, version, served, false)
      if (method === 'hostState') return second
      known.push(input.known)
      return { revision: 8, state: input.known === null ? first : null }
    },
  } as unknown as Client<NetworkControlMethods>
  const fetched = desiredState({ host: 'h1', control, alone: true, signal: new AbortController().signal })
  assert.equal(await fetched(null), first)
  served = 1
  assert.equal(await fetched(5), second)
  served = 2
  await fetched(7)
  assert.deepEqual(known, [null, null])
})
