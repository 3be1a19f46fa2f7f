/** Stories of servers that get new disks: rebuilt, rescued, and put back when that fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ServerCloud, serverCloud, setProperties } from './fixtures/server-cloud.ts'
import { tiny } from './fixtures/world.ts'

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo, { metadata: { role: 'web' } })
  const act = <T = Record<string, never>>(body: unknown, version = 'latest') =>
    cloud.api<T>(demo, 'POST', `/servers/${server.id}/action`, body, version)
  return {
    cloud,
    demo,
    server,
    act,
    guest: () => cloud.drivers.h1!.guests.get(server.id)!,
    async settled() {
      await cloud.env.sagas.idle()
      return cloud.show(demo, server.id)
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

interface Rebuilt {
  server: Record<string, unknown> & { adminPass: string; user_data?: string | null }
}

test('a rebuilt server has a new disk and keeps its id, addresses and host', async () => {
  await using s = await stage()
  s.cloud.drivers.h1!.write(s.server.id, 'root', 'old data')
  const asked = {
    imageRef: tiny,
    name: 'anew',
    metadata: { a: 'b' },
    description: 'd',
    hostname: 'web-1',
    user_data: 'YQ==',
  }
  const answer = await s.act<Rebuilt>({ rebuild: { ...asked, adminPass: 'secret' } })
  assert.equal(answer.status, 202)
  assert.match(answer.headers.location ?? '', new RegExp(s.server.id))
  assert.equal(answer.body.server.status, 'REBUILD')
  assert.equal(answer.body.server.adminPass, 'secret')
  assert.equal(answer.body.server.user_data, 'YQ==')
  const now = await s.settled()
  assert.deepEqual([now.status, now.name, now.metadata, now.description], ['ACTIVE', 'anew', { a: 'b' }, 'd'])
  assert.deepEqual(now.addresses, s.server.addresses)
  assert.deepEqual(s.guest().disks.root?.contents, [tiny])
  assert.equal(s.cloud.drivers.h1!.guests.size, 1)
})

test('before 2.75 a rebuild tells less, and fields come with their versions', async () => {
  await using s = await stage()
  const old = await s.act<Rebuilt>({ rebuild: { imageRef: tiny } }, '2.1')
  const names = Object.keys(old.body.server)
  for (const absent of ['OS-EXT-STS:vm_state', 'key_name', 'user_data', 'security_groups', 'config_drive'])
    assert.equal(names.includes(absent), false, absent)
  await s.settled()
  assert.ok('key_name' in (await s.act<Rebuilt>({ rebuild: { imageRef: tiny } }, '2.54')).body.server)
  await s.settled()
  const file = { path: '/etc/motd', contents: 'YQ==' }
  assert.equal((await s.act({ rebuild: { imageRef: tiny, personality: [file] } }, '2.57')).status, 400)
  assert.equal((await s.act({ rebuild: { imageRef: tiny, hostname: 'x1' } }, '2.89')).status, 400)
  assert.equal((await s.act({ rebuild: { imageRef: tiny, key_name: 'nobody' } })).status, 400)
  const unknown = await s.act<{ badRequest: { message: string } }>({ rebuild: { imageRef: s.server.id } })
  assert.equal(unknown.body.badRequest.message, 'Cannot find image for rebuild')
})

test('a rebuild that fails leaves the server as it was, data and all', async () => {
  await using s = await stage()
  s.cloud.drivers.h1!.write(s.server.id, 'root', 'old data')
  s.cloud.drivers.h1!.inject({ method: 'spawn', error: 'no space' })
  assert.equal((await s.act({ rebuild: { imageRef: tiny, name: 'anew', description: 'd' } })).status, 202)
  const now = await s.settled()
  assert.deepEqual([now.status, now.name, now.description], ['ACTIVE', 'vm', null])
  assert.deepEqual(s.guest().disks.root?.contents, [tiny, 'old data'])
})

test('a stopped server stays off when it is rebuilt; a broken one runs again', async () => {
  await using s = await stage()
  await s.act({ 'os-stop': null })
  await s.settled()
  await s.act({ rebuild: { imageRef: tiny } })
  assert.equal((await s.settled()).status, 'SHUTOFF')
  const admin = await s.cloud.admin()
  const reset = { 'os-resetState': { state: 'error' } }
  assert.equal((await s.cloud.api(admin, 'POST', `/servers/${s.server.id}/action`, reset)).status, 202)
  await s.act({ rebuild: { imageRef: tiny } })
  const now = await s.settled()
  assert.deepEqual([now.status, now.fault], ['ACTIVE', undefined])
})

test('a busy server refuses a rebuild until its task must be stuck', async () => {
  await using s = await stage()
  await stuckIn(s.cloud, s.server.id, 'rebuilding', 60)
  assert.equal((await s.act({ rebuild: { imageRef: tiny } })).status, 409)
  await stuckIn(s.cloud, s.server.id, 'rebuilding', 3600)
  assert.equal((await s.act({ rebuild: { imageRef: tiny } })).status, 202)
  assert.equal((await s.settled()).status, 'ACTIVE')
  await stuckIn(s.cloud, s.server.id, 'rebooting', 120)
  assert.equal((await s.act({ reboot: { type: 'SOFT' } })).status, 409)
  await stuckIn(s.cloud, s.server.id, 'rebooting', 240)
  assert.equal((await s.act({ reboot: { type: 'SOFT' } })).status, 202)
})

async function stuckIn(cloud: ServerCloud, id: string, task_state: string, seconds: number): Promise<void> {
  const updated_at = new Date(cloud.env.clock.now() - seconds * 1000).toISOString()
  await cloud.env.database.root
    .updateTable('compute_servers')
    .set({ task_state, updated_at } as never)
    .where('id', '=', id)
    .execute()
}

test('a rescued server runs from another disk with its own beside, and goes back', async () => {
  await using s = await stage()
  s.cloud.drivers.h1!.write(s.server.id, 'root', 'my data')
  const answer = await s.act<{ adminPass: string }>({ rescue: { adminPass: 'secret' } })
  assert.deepEqual([answer.status, answer.body], [200, { adminPass: 'secret' }])
  assert.equal((await s.settled()).status, 'RESCUE')
  const boots = s.guest().spec.disks.map(disk => [disk.id, disk.boot_index])
  assert.deepEqual(boots.slice(0, 2), [
    ['rescue', 0],
    ['root', -1],
  ])
  assert.equal((await s.act({ reboot: { type: 'HARD' } })).status, 409)
  assert.equal((await s.act({ rescue: null })).status, 409)
  assert.equal((await s.act({ unrescue: null })).status, 202)
  assert.equal((await s.settled()).status, 'ACTIVE')
  assert.deepEqual(s.guest().disks.root?.contents, [tiny, 'my data'])
  assert.equal('rescue' in s.guest().disks, false)
  assert.equal((await s.act({ unrescue: null })).status, 409)
  const unknown = await s.act<{ badRequest: { message: string } }>({ rescue: { rescue_image_ref: s.server.id } })
  assert.equal(unknown.body.badRequest.message, `Requested rescue image '${s.server.id}' is not supported`)
})

test('a rescue image that names its device comes after the disks that the guest knows', async () => {
  await using s = await stage()
  await setProperties(s.cloud, { hw_rescue_device: 'cdrom', hw_rescue_bus: 'ide' })
  await s.act({ rescue: { rescue_image_ref: tiny } })
  assert.equal((await s.settled()).status, 'RESCUE')
  const { disks } = s.guest().spec
  assert.deepEqual([disks[0]?.id, disks[0]?.boot_index, disks.at(-1)?.id], ['root', -1, 'rescue'])
  assert.deepEqual([disks.at(-1)?.bus, disks.at(-1)?.cdrom], ['ide', true])
})

test('a rescued server is listed by its status, and so is one that is being rebuilt', async () => {
  await using s = await stage()
  await s.act({ rescue: null })
  await s.settled()
  const ids = async (status: string) =>
    (await s.cloud.api<{ servers: { id: string }[] }>(s.demo, 'GET', `/servers?status=${status}`)).body.servers.length
  assert.deepEqual([await ids('RESCUE'), await ids('ACTIVE'), await ids('REBUILD'), await ids('RESIZE')], [1, 0, 0, 0])
})
