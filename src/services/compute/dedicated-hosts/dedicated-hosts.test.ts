/** Hosts that one project has for itself: who gets on them, and who pays. */
import assert from 'node:assert/strict'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { hostsOf } from '../servers/fixtures/choosing.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld } from '../servers/fixtures/world.ts'

interface Usage {
  tenant_id: string
  total_hours: number
  total_host_hours?: number
  host_usages?: { host: string; hours: number; vcpus: number; ended_at: string | null }[]
}

const minute = 60_000

onEachEngine(
  'a host is one project’s: its servers fill it, no other gets there, and it pays for all of it',
  async database => {
    const clock = virtualClock()
    await using cloud = await serverCloud({
      hosts: ['h1', 'h2'],
      vcpus: 1,
      set: ['compute.hosts.cpu_allocation_ratio=3'],
      world: await newWorld(clock, database),
    })
    const [admin, mine, theirs] = [await cloud.admin(), await cloud.project('mine'), await cloud.project('theirs')]
    const allot = async (host: string, project_id: string, who = admin) =>
      (await cloud.api(who, 'PUT', `/os-dedicated-hosts/${host}`, { project_id })).status
    const release = async (host: string) => (await cloud.api(admin, 'DELETE', `/os-dedicated-hosts/${host}`)).status
    assert.equal(await allot('h1', mine.id, mine), 403)
    assert.equal(await allot('h9', mine.id), 404)
    assert.equal(await allot('h1', mine.id), 204)
    assert.equal(await allot('h1', mine.id), 204)
    assert.equal(await allot('h1', theirs.id), 409)
    const began = clock.now()

    assert.deepEqual(await hostsOf(cloud, 4, mine), ['h1', 'h1', 'h1', 'h2'], 'its own host first')
    assert.deepEqual(await hostsOf(cloud, 3, theirs), ['h2', 'h2', 'none'])
    assert.equal(await allot('h2', theirs.id), 409, 'mine has a server there')
    const full = (await cloud.api<{ servers: { id: string }[] }>(mine, 'GET', '/servers')).body.servers
    for (const { id } of full) await cloud.remove(mine, id)
    assert.deepEqual(await hostsOf(cloud, 2, theirs), ['h2', 'none'], 'empty, and still not theirs')

    await clock.advance(6 * minute)
    const at = (ms: number) => new Date(ms).toISOString().slice(0, 19)
    const period = () => `start=${at(began - minute)}&end=${at(clock.now())}`
    const usageOf = async ({ id }: { id: string }) =>
      (await cloud.api<{ tenant_usage: Usage }>(admin, 'GET', `/os-simple-tenant-usage/${id}?${period()}`)).body
        .tenant_usage
    const [paid] = (await usageOf(mine)).host_usages!
    assert.deepEqual([paid!.host, paid!.vcpus, paid!.ended_at], ['h1', 1, null])
    assert.ok(Math.abs(paid!.hours - 0.1) < 0.02, `${paid!.hours} hours`)
    assert.equal((await usageOf(theirs)).host_usages, undefined)

    const list = '/os-dedicated-hosts'
    const shown = await cloud.api<{ dedicated_hosts: { host: string; project_id: string }[] }>(admin, 'GET', list)
    assert.deepEqual(
      shown.body.dedicated_hosts.map(one => [one.host, one.project_id]),
      [['h1', mine.id]],
    )
    assert.equal(await release('h1'), 204)
    assert.equal(await release('h1'), 404)
    assert.deepEqual(await hostsOf(cloud, 1, theirs), ['h1'])
    await clock.advance(60 * minute)
    const ended = await usageOf(mine)
    assert.ok(ended.host_usages![0]!.ended_at !== null && ended.total_host_hours! < 0.2, 'what is over costs no more')
    const all = await cloud.api<{ tenant_usages: Usage[] }>(admin, 'GET', `/os-simple-tenant-usage?${period()}`)
    const charged = all.body.tenant_usages.filter(usage => usage.total_host_hours !== undefined)
    assert.deepEqual(
      charged.map(usage => usage.tenant_id),
      [mine.id],
    )
  },
)

onEachEngine('a host that two projects are given at the same moment is one’s', async database => {
  await using cloud = await serverCloud({ hosts: ['h1'], world: await newWorld(virtualClock(), database) })
  const [admin, mine, theirs] = [await cloud.admin(), await cloud.project('mine'), await cloud.project('theirs')]
  const given = await Promise.all(
    [mine, theirs].map(({ id }) => cloud.api(admin, 'PUT', '/os-dedicated-hosts/h1', { project_id: id })),
  )
  assert.deepEqual(given.map(({ status }) => status).sort(), [204, 409])
})
