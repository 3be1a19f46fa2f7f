/** Stories of resize and cold migration: what users see, what hosts have, and what placement and quotas say at each moment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SagaProbe } from '#kernel/saga/run.ts'
import { type ServerCloud, type ServerCloudOptions, serverCloud } from '../fixtures/server-cloud.ts'
import { tiny } from '../fixtures/world.ts'
import { lostAsides } from './reconcilers.ts'

async function stage(options: ServerCloudOptions = {}) {
  const cloud = await serverCloud({ hosts: ['h1', 'h2'], set: ['compute.allow_resize_to_same_host=false'], ...options })
  const demo = await cloud.project('p1')
  const admin = await cloud.admin()
  const server = await cloud.boot(demo)
  const act = <T = { badRequest?: { message: string }; forbidden?: { message: string } }>(
    body: unknown,
    who = demo,
    version = 'latest',
  ) => cloud.api<T>(who, 'POST', `/servers/${server.id}/action`, body, version)
  const first = (await cloud.row(server.id)).host!
  return {
    cloud,
    demo,
    admin,
    server,
    act,
    first,
    second: ['h1', 'h2'].find(host => host !== first)!,
    async settled() {
      await cloud.env.sagas.idle()
      return cloud.show(admin, server.id)
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

const resize = { resize: { flavorRef: '84' } }

test('a server is resized: its data moves with it, and both flavors are held until it is confirmed', async () => {
  await using s = await stage()
  s.cloud.drivers[s.first]!.write(s.server.id, 'root', 'my data')
  assert.equal((await s.act(resize)).status, 202)
  assert.equal((await s.cloud.show(s.demo, s.server.id)).status, 'RESIZE')
  const waiting = await s.settled()
  assert.deepEqual([waiting.status, waiting.flavor.ram], ['VERIFY_RESIZE', 192])
  assert.equal(waiting['OS-EXT-SRV-ATTR:host'], s.second)
  assert.deepEqual(s.cloud.guestHosts(s.server.id), [s.second])
  assert.deepEqual(s.cloud.drivers[s.second]!.guests.get(s.server.id)?.disks.root?.contents, [tiny, 'my data'])
  const [move] = await s.cloud.openMoves(s.server.id)
  assert.equal((await s.cloud.allocated(s.server.id))[s.second]!.MEMORY_MB, 192)
  assert.equal((await s.cloud.allocated(move!.uuid))[s.first]!.MEMORY_MB, 128)
  assert.equal((await s.act({ pause: null })).status, 409)
  assert.equal((await s.act({ confirmResize: null })).status, 204)
  assert.equal((await s.settled()).status, 'ACTIVE')
  assert.deepEqual([s.cloud.asides(s.server.id), await s.cloud.allocated(move!.uuid)], [[], {}])
  assert.equal((await s.act({ confirmResize: null })).status, 409)
})

test('a reverted resize is as if it had not been, what was written since included', async () => {
  await using s = await stage()
  await s.act(resize)
  await s.settled()
  s.cloud.drivers[s.second]!.write(s.server.id, 'root', 'new data')
  assert.equal((await s.act({ revertResize: null })).status, 202)
  assert.equal((await s.cloud.show(s.demo, s.server.id)).status, 'REVERT_RESIZE')
  const back = await s.settled()
  assert.deepEqual([back.status, back.flavor.ram, back['OS-EXT-SRV-ATTR:host']], ['ACTIVE', 128, s.first])
  assert.deepEqual(back.addresses, s.server.addresses)
  assert.deepEqual(s.cloud.guestHosts(s.server.id), [s.first])
  assert.deepEqual(s.cloud.drivers[s.first]!.guests.get(s.server.id)?.disks.root?.contents, [tiny])
  assert.deepEqual(Object.keys(await s.cloud.allocated(s.server.id)), [s.first])
})

test('a revert to a host that does not answer, or is known to be down, leaves the server where it runs, to be decided again', async () => {
  await using s = await stage()
  await s.act(resize)
  await s.settled()
  await s.cloud.removeHost(s.first)
  assert.equal((await s.act({ revertResize: null })).status, 202)
  const stays = await s.settled()
  assert.deepEqual([stays.status, stays['OS-EXT-SRV-ATTR:host']], ['VERIFY_RESIZE', s.second])
  assert.deepEqual(s.cloud.guestHosts(s.server.id), [s.second])
  assert.deepEqual(await s.cloud.portHosts(s.server.id), [s.second])
  const { body } = await s.cloud.api<{ services: { id: string }[] }>(s.admin, 'GET', `/os-services?host=${s.first}`)
  const service = `/os-services/${body.services[0]!.id}`
  await s.cloud.api(s.admin, 'PUT', service, { forced_down: true })
  for (const decision of ['confirmResize', 'revertResize'])
    assert.equal((await s.act({ [decision]: null })).status, 409)
  await s.cloud.addHost(s.first)
  await s.cloud.api(s.admin, 'PUT', service, { forced_down: false })
  assert.equal((await s.act({ confirmResize: null })).status, 204)
  assert.equal((await s.settled()).status, 'ACTIVE')
})

test('a revert waits for a host that falls silent in its midst, since the guest has left the other one', async () => {
  let silence = async () => {}
  const sagaProbe: SagaProbe = ({ step, at }) =>
    step.startsWith('bind ports') && at === 'before' ? silence() : undefined
  await using s = await stage({ sagaProbe })
  await s.act(resize)
  await s.settled()
  silence = () => s.cloud.removeHost(s.first)
  assert.equal((await s.act({ revertResize: null })).status, 202)
  while (s.cloud.guestHosts(s.server.id).includes(s.second)) await s.cloud.env.clock.sleep(5)
  assert.equal((await s.cloud.show(s.demo, s.server.id)).status, 'REVERT_RESIZE')
  await s.cloud.addHost(s.first)
  const back = await s.settled()
  assert.deepEqual([back.status, back['OS-EXT-SRV-ATTR:host']], ['ACTIVE', s.first])
  assert.deepEqual(await s.cloud.portHosts(s.server.id), [s.first])
  assert.deepEqual(s.cloud.guestHosts(s.server.id), [s.first])
})

test('a stopped server stays off through it all', async () => {
  await using s = await stage()
  await s.act({ 'os-stop': null })
  await s.settled()
  await s.act(resize)
  assert.equal((await s.settled()).status, 'VERIFY_RESIZE')
  await s.act({ confirmResize: null })
  assert.equal((await s.settled()).status, 'SHUTOFF')
  await s.act({ 'os-start': null })
  assert.equal((await s.settled()).status, 'ACTIVE')
})

test('on its own host a server keeps its old disks beside the new ones', async () => {
  await using s = await stage({ hosts: ['h1'], set: [] })
  await s.act(resize)
  const waiting = await s.settled()
  assert.deepEqual([waiting.status, waiting['OS-EXT-SRV-ATTR:host']], ['VERIFY_RESIZE', 'h1'])
  assert.deepEqual(s.cloud.asides(s.server.id), ['h1'])
  await s.act({ revertResize: null })
  assert.deepEqual([(await s.settled()).status, (await s.settled()).flavor.ram], ['ACTIVE', 128])
  await s.act(resize)
  await s.settled()
  await s.act({ confirmResize: null })
  assert.deepEqual([(await s.settled()).status, (await s.settled()).flavor.ram], ['ACTIVE', 192])
  assert.deepEqual(s.cloud.asides(s.server.id), [])
})

test('what cannot be is refused with the words of upstream', async () => {
  await using s = await stage()
  const same = await s.act({ resize: { flavorRef: '42' } })
  assert.deepEqual([same.status, same.body.badRequest?.message], [400, 'When resizing, instances must change flavor!'])
  assert.equal((await s.act({ resize: { flavorRef: 'nothing' } })).status, 400)
  const path = `/os-quota-sets/${s.demo.id}`
  const set = await s.cloud.api(s.admin, 'PUT', path, { quota_set: { ram: 150 } })
  assert.equal(set.status, 200)
  const over = await s.act(resize)
  assert.equal(over.status, 403)
  assert.equal(over.body.forbidden?.message, 'Quota exceeded for ram: Requested 64, but already used 128 of 150 ram')
  assert.equal((await s.settled()).status, 'ACTIVE')
  assert.equal((await s.act({ migrate: { host: s.first } }, s.admin)).status, 400)
  assert.equal((await s.act({ migrate: { host: 'nowhere' } }, s.admin)).status, 400)
  assert.equal((await s.act({ migrate: null })).status, 403)
  assert.equal((await s.act({ revertResize: null })).status, 409)
})

test('a resize to a larger disk counts against the unified limit, and the larger counts until it is confirmed', async () => {
  const set = ['compute.quota_driver=unified_limits', 'compute.unified_limits_resource_list=']
  await using s = await stage({ set })
  const disk_gb = async () => (await s.cloud.row(s.server.id)).disk_gb
  for (const [id, disk] of [
    ['two', 2],
    ['three', 3],
  ] as const)
    await s.cloud.api(s.admin, 'POST', '/flavors', { flavor: { id, name: id, ram: 128, vcpus: 1, disk } })
  await limitDisks(s.cloud, s.admin, 2)
  const over = await s.act({ resize: { flavorRef: 'three' } })
  const words = `Project ${s.demo.id} is over a limit for [Resource class:DISK_GB is over limit of 2 due to current usage 1 and delta 2]`
  assert.deepEqual([over.status, over.body.forbidden?.message], [403, words])
  assert.equal((await s.act({ resize: { flavorRef: 'two' } })).status, 202)
  await s.settled()
  assert.equal(await disk_gb(), 2)
  assert.equal((await s.act({ revertResize: null })).status, 202)
  await s.settled()
  assert.equal(await disk_gb(), 1)
})

async function limitDisks(cloud: ServerCloud, admin: { token: string }, default_limit: number): Promise<void> {
  const { body } = await cloud.request<{ services: { id: string }[] }>('GET', '/identity/v3/services?type=compute', {
    token: admin.token,
  })
  const limit = { service_id: body.services[0]!.id, resource_name: 'class:DISK_GB', default_limit }
  const path = '/identity/v3/registered_limits'
  const answer = await cloud.request('POST', path, { token: admin.token, body: { registered_limits: [limit] } })
  assert.equal(answer.status, 201)
}

test('a resize that no host can take leaves the server as it is, and says why', async () => {
  await using s = await stage({ memoryMb: 4096 })
  const flavor = { id: 'huge', name: 'huge', ram: 3400, vcpus: 1, disk: 1 }
  await s.cloud.api(s.admin, 'POST', '/flavors', { flavor })
  await s.cloud.removeHost(s.second)
  const disable = { status: 'disabled' }
  const { body } = await s.cloud.api<{ services: { id: string; host: string }[] }>(s.admin, 'GET', '/os-services')
  const service = body.services.find(one => one.host === s.second)!
  await s.cloud.api(s.admin, 'PUT', `/os-services/${service.id}`, disable)
  assert.equal((await s.act({ resize: { flavorRef: 'huge' } })).status, 202)
  const now = await s.settled()
  assert.deepEqual([now.status, now.flavor.ram], ['ACTIVE', 128])
  assert.deepEqual(Object.keys(await s.cloud.allocated(s.server.id)), [s.first])
  interface Explained {
    explanation: { hosts: { host: string; rule: string; had: string }[] }
  }
  const why = await s.cloud.api<Explained>(s.admin, 'GET', `/servers/${s.server.id}/nephos-explain`)
  const home = why.body.explanation.hosts.find(one => one.host === s.first)
  assert.deepEqual([home?.rule, home?.had], ['MoveFilter', 'it is there already'])
  interface Actions {
    instanceActions: { action: string; message: string | null }[]
  }
  const actions = await s.cloud.api<Actions>(s.admin, 'GET', `/servers/${s.server.id}/os-instance-actions`)
  assert.deepEqual(
    [actions.body.instanceActions[0]!.action, actions.body.instanceActions[0]!.message],
    ['resize', 'Error'],
  )
})

test('an admin moves a server to a host of choice, and the move is in the list', async () => {
  await using s = await stage()
  assert.equal((await s.act({ migrate: { host: s.second } }, s.admin)).status, 202)
  assert.equal((await s.settled())['OS-EXT-SRV-ATTR:host'], s.second)
  assert.equal((await s.act({ confirmResize: null })).status, 204)
  await s.settled()
})

for (const state of ['active', 'error'])
  test(`a resized server whose state is reset to ${state} stays what it is, and holds nothing of what it was`, async () => {
    await using s = await stage()
    const flavor = { id: 'small', name: 'small', ram: 64, vcpus: 1, disk: 1 }
    await s.cloud.api(s.admin, 'POST', '/flavors', { flavor })
    await s.act({ resize: { flavorRef: flavor.id } })
    assert.equal((await s.settled()).status, 'VERIFY_RESIZE')
    const [move] = await s.cloud.openMoves(s.server.id)
    assert.equal((await s.act({ 'os-resetState': { state } }, s.admin)).status, 202)
    const after = await s.settled()
    assert.deepEqual([after.status, after['OS-EXT-SRV-ATTR:host']], [state.toUpperCase(), s.second])
    const { memory_mb } = await s.cloud.row(s.server.id)
    assert.deepEqual([after.flavor.ram, memory_mb], [flavor.ram, flavor.ram])
    assert.deepEqual([s.cloud.asides(s.server.id), await s.cloud.allocated(move!.uuid)], [[], {}])
    assert.deepEqual(await s.cloud.openMoves(s.server.id), [])
  })

test('a resized server that is deleted leaves nothing at either end', async () => {
  await using s = await stage()
  await s.act(resize)
  await s.settled()
  await s.cloud.remove(s.demo, s.server.id)
  const held = await s.cloud.held()
  assert.deepEqual([held.guests, held.allocations, held.consumers, held.ports], [0, 0, 0, 0])
  assert.deepEqual(await s.cloud.openMoves(s.server.id), [])
})

test('a host that cannot be rid of what it had of the server is not moved to, and no cleanup waits for what comes later', async () => {
  await using s = await stage()
  s.cloud.drivers[s.second]!.inject({ method: 'destroy', call: 'every', error: 'not now' })
  await s.act({ migrate: null }, s.admin)
  const stayed = await s.settled()
  assert.deepEqual([stayed.status, stayed['OS-EXT-SRV-ATTR:host']], ['ACTIVE', s.first])
  assert.equal((await s.cloud.held()).cleanups, 0)
})

test('disks that could not be removed at once go later, and never while they are needed', async () => {
  await using cloud = await serverCloud({ hosts: ['h1'] })
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const act = async (body: unknown) => {
    assert.ok((await cloud.api(demo, 'POST', `/servers/${id}/action`, body)).status < 300, JSON.stringify(body))
    await cloud.env.sagas.idle()
  }
  const later = async () => {
    await cloud.reconcile(lostAsides.id)
    await cloud.env.sagas.idle()
  }
  await act({ resize: { flavorRef: '84' } })
  cloud.drivers.h1!.inject({ method: 'dropAside', error: 'the disk is busy' })
  await act({ confirmResize: null })
  assert.deepEqual(cloud.asides(id), ['h1'], 'the removal failed')
  await later()
  assert.deepEqual([cloud.asides(id), (await cloud.held()).cleanups], [[], 0])

  // Lost again, and a second resize begins before anybody looks: what is aside now is what a revert needs.
  await act({ resize: { flavorRef: '42' } })
  cloud.drivers.h1!.inject({ method: 'dropAside', error: 'the disk is busy' })
  await act({ confirmResize: null })
  await act({ resize: { flavorRef: '84' } })
  await later()
  assert.deepEqual(cloud.asides(id), ['h1'])
  await act({ revertResize: null })
  assert.equal((await cloud.show(demo, id)).status, 'ACTIVE')
  await later()
  assert.deepEqual([cloud.asides(id), (await cloud.held()).cleanups], [[], 0])
})
