import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud } from '../fixtures/compute-cloud.ts'
import { hostsForScheduling } from '../hosts/steps.ts'

interface Aggregate {
  id: number
  uuid: string
  name: string
  availability_zone: string | null
  hosts: string[]
  metadata: Record<string, string>
}
type One = { aggregate: Aggregate }
type Zones = {
  availabilityZoneInfo: { zoneName: string; zoneState: { available: boolean }; hosts: Record<string, unknown> | null }[]
}
type Cloud = Awaited<ReturnType<typeof computeCloud>>

async function create(cloud: Cloud, name: string, zone?: string): Promise<Aggregate> {
  const aggregate = { name, ...(zone && { availability_zone: zone }) }
  return (await cloud.call<One>('admin', 'POST', '/os-aggregates', { aggregate })).body.aggregate
}
const act = (cloud: Cloud, id: number, body: unknown) =>
  cloud.call<One>('admin', 'POST', `/os-aggregates/${id}/action`, body)

onEachEngine('hosts in an aggregate with a zone are in that zone, and placement knows', async database => {
  await using cloud = await computeCloud({ database })
  await cloud.report('h1')
  await cloud.report('h2')
  const made = await create(cloud, 'rack 1', 'east')
  assert.deepEqual([made.availability_zone, made.hosts, made.metadata], ['east', undefined, undefined])
  const added = await act(cloud, made.id, { add_host: { host: 'h1' } })
  assert.deepEqual(added.body.aggregate.hosts, ['h1'])
  assert.deepEqual([...cloud.placement.aggregates.values()], [[made.uuid], []])
  await act(cloud, made.id, { set_metadata: { metadata: { ssd: 'true' } } })
  assert.deepEqual(
    (await hostsForScheduling(cloud.ctx(), cloud.candidates())).map(host => [
      host.host,
      host.zone,
      host.aggregate_metadata,
    ]),
    [
      ['h1', 'east', { availability_zone: ['east'], ssd: ['true'] }],
      ['h2', 'nova', {}],
    ],
  )
  const zones = await cloud.call<Zones>('alice', 'GET', '/os-availability-zone')
  assert.deepEqual(zones.body.availabilityZoneInfo, [
    { zoneName: 'east', zoneState: { available: true }, hosts: null },
    { zoneName: 'nova', zoneState: { available: true }, hosts: null },
  ])
  assert.equal((await cloud.call('alice', 'GET', '/os-availability-zone/detail')).status, 403)
  const detail = await cloud.call<Zones>('admin', 'GET', '/os-availability-zone/detail')
  assert.deepEqual(Object.keys(detail.body.availabilityZoneInfo[0]!.hosts!), ['h1'])
  const removed = await act(cloud, made.id, { remove_host: { host: 'h1' } })
  assert.deepEqual(removed.body.aggregate.hosts, [])
  assert.deepEqual([...cloud.placement.aggregates.values()], [[], []])
})

onEachEngine('a host cannot be in two zones', async database => {
  await using cloud = await computeCloud({ database })
  await cloud.report('h1')
  const east = await create(cloud, 'a', 'east')
  const west = await create(cloud, 'b', 'west')
  const plain = await create(cloud, 'c')
  await act(cloud, east.id, { add_host: { host: 'h1' } })
  assert.equal((await act(cloud, west.id, { add_host: { host: 'h1' } })).status, 409)
  assert.equal((await act(cloud, plain.id, { add_host: { host: 'h1' } })).status, 200)
  const zone = { set_metadata: { metadata: { availability_zone: 'west' } } }
  const refused = await cloud.call<{ badRequest: { message: string } }>(
    'admin',
    'POST',
    `/os-aggregates/${plain.id}/action`,
    zone,
  )
  assert.equal(
    refused.body.badRequest.message,
    `Cannot update metadata of aggregate ${plain.id}. Reason: One or more hosts already in availability zone(s) ['east'].`,
  )
})

test('names are unique, metadata goes by null, and only an empty aggregate is deleted', async () => {
  await using cloud = await computeCloud()
  await cloud.report('h1')
  const { id } = await create(cloud, 'a')
  assert.equal((await cloud.call('admin', 'POST', '/os-aggregates', { aggregate: { name: 'a' } })).status, 409)
  await create(cloud, 'b')
  const put = (aggregate: unknown) => cloud.call<One>('admin', 'PUT', `/os-aggregates/${id}`, { aggregate })
  assert.equal((await put({ name: 'b' })).status, 409)
  assert.equal((await put({})).status, 400)
  assert.equal(
    (await put({ name: 'c', availability_zone: 'north' })).body.aggregate.metadata.availability_zone,
    'north',
  )
  const changed = await act(cloud, id, { set_metadata: { metadata: { x: '1', y: '2' } } })
  assert.deepEqual(changed.body.aggregate.metadata, { availability_zone: 'north', x: '1', y: '2' })
  const cleared = await act(cloud, id, { set_metadata: { metadata: { x: null } } })
  assert.deepEqual(cleared.body.aggregate.metadata, { availability_zone: 'north', y: '2' })
  await act(cloud, id, { add_host: { host: 'h1' } })
  assert.equal((await act(cloud, id, { add_host: { host: 'h1' } })).status, 409)
  assert.equal((await act(cloud, id, { add_host: { host: 'h9' } })).status, 404)
  assert.equal((await act(cloud, id, { remove_host: { host: 'h9' } })).status, 404)
  assert.equal((await cloud.call('admin', 'DELETE', `/os-aggregates/${id}`)).status, 400)
  await act(cloud, id, { remove_host: { host: 'h1' } })
  assert.equal((await cloud.call('admin', 'DELETE', `/os-aggregates/${id}`)).status, 200)
  assert.equal((await cloud.call('admin', 'GET', `/os-aggregates/${id}`)).status, 404)
  assert.equal((await cloud.call('admin', 'GET', '/os-aggregates/x')).status, 400)
  assert.equal((await cloud.call('alice', 'GET', '/os-aggregates')).status, 403)
})
