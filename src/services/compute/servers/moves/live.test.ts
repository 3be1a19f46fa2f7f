/** Stories of live migrations and evacuations, and how the API shows moves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../fixtures/server-cloud.ts'
import { tiny } from '../fixtures/world.ts'
import { rememberCleanup } from '../store-cleanups.ts'
import { evacuatedSources } from './evacuate.ts'

async function stage() {
  const cloud = await serverCloud({ hosts: ['h1', 'h2'] })
  const demo = await cloud.project('p1')
  const admin = await cloud.admin()
  const server = await cloud.boot(demo)
  const path = `/servers/${server.id}`
  const act = <T = { badRequest?: { message: string } }>(body: unknown, version = 'latest', who = admin) =>
    cloud.api<T>(who, 'POST', `${path}/action`, body, version)
  const first = (await cloud.row(server.id)).host!
  const second = ['h1', 'h2'].find(host => host !== first)!
  return {
    cloud,
    demo,
    admin,
    server,
    path,
    act,
    first,
    second,
    live: (host: string | null = null) => act({ 'os-migrateLive': { host, block_migration: 'auto' } }),
    async settled() {
      await cloud.env.sagas.idle()
      return cloud.show(admin, server.id)
    },
    async forceDown(host: string, forced_down: boolean) {
      const { body } = await cloud.api<{ services: { id: string; host: string }[] }>(admin, 'GET', '/os-services')
      const service = body.services.find(one => one.host === host)!
      await cloud.api(admin, 'PUT', `/os-services/${service.id}`, { forced_down })
    },
    /** Until the live migration's data flows. */
    async running() {
      for (;;) {
        const { body } = await cloud.api<{ migrations: { id: number; status: string; memory_total_bytes: number }[] }>(
          admin,
          'GET',
          `${path}/migrations`,
        )
        const [going] = body.migrations
        if (going?.status === 'running' && going.memory_total_bytes !== null) return going
        await new Promise(resolve => setImmediate(resolve))
      }
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

interface Listed {
  migrations: Record<string, unknown>[]
  migrations_links?: { href: string }[]
}

test('a running server moves with its memory and disks, and nothing is left where it was', async () => {
  await using s = await stage()
  s.cloud.drivers[s.first]!.write(s.server.id, 'root', 'my data')
  assert.equal((await s.live(s.second)).status, 202)
  assert.equal((await s.cloud.show(s.demo, s.server.id)).status, 'MIGRATING')
  const moved = await s.settled()
  assert.deepEqual([moved.status, moved['OS-EXT-SRV-ATTR:host']], ['ACTIVE', s.second])
  assert.deepEqual([s.cloud.guestHosts(s.server.id), s.cloud.asides(s.server.id)], [[s.second], []])
  const guest = s.cloud.drivers[s.second]!.guests.get(s.server.id)!
  assert.deepEqual(guest.disks.root?.contents, [tiny, 'my data'])
  assert.equal(guest.log.split('simulated guest ready').length - 1, 1, 'it did not boot again')
  assert.deepEqual(Object.keys(await s.cloud.allocated(s.server.id)), [s.second])
})

test('a migration that goes on is shown with its progress, and can be hurried', async () => {
  await using s = await stage()
  s.cloud.drivers[s.first]!.inject({ method: 'migrateLive', delayMs: 3_600_000 })
  await s.live()
  const { id, memory_total_bytes } = await s.running()
  assert.equal(memory_total_bytes, 128 * 1024 * 1024)
  const shown = await s.cloud.api<{ migration: Record<string, unknown> }>(s.admin, 'GET', `${s.path}/migrations/${id}`)
  assert.equal(shown.body.migration.dest_compute, s.second)
  const all = await s.cloud.api<Listed>(s.admin, 'GET', '/os-migrations')
  assert.deepEqual(
    [all.body.migrations[0]!.status, all.body.migrations[0]!.migration_type],
    ['running', 'live-migration'],
  )
  assert.ok(all.body.migrations[0]!.links)
  assert.equal((await s.cloud.api(s.demo, 'GET', `${s.path}/migrations`)).status, 403)
  const force = await s.cloud.api(s.admin, 'POST', `${s.path}/migrations/${id}/action`, { force_complete: null })
  assert.equal(force.status, 202)
  assert.equal((await s.settled())['OS-EXT-SRV-ATTR:host'], s.second)
  assert.equal((await s.cloud.api(s.admin, 'GET', `${s.path}/migrations/${id}`)).status, 404)
})

test('one that its host cannot hurry, since it ended this moment or the host is away, is a conflict', async () => {
  await using s = await stage()
  s.cloud.drivers[s.first]!.inject({ method: 'migrateLive', delayMs: 3_600_000 })
  await s.live()
  const { id } = await s.running()
  const hurry = async () => {
    const body = { force_complete: null }
    return (await s.cloud.api(s.admin, 'POST', `${s.path}/migrations/${id}/action`, body)).status
  }
  s.cloud.drivers[s.first]!.inject({ method: 'forceMigration', error: 'not being migrated' })
  assert.equal(await hurry(), 409)
  assert.equal(await hurry(), 202)
  assert.equal((await s.settled())['OS-EXT-SRV-ATTR:host'], s.second)
})

test('a migration that is given up leaves the server where it is, running', async () => {
  await using s = await stage()
  s.cloud.drivers[s.first]!.inject({ method: 'migrateLive', delayMs: 3_600_000 })
  await s.live()
  const { id } = await s.running()
  assert.equal((await s.cloud.api(s.admin, 'DELETE', `${s.path}/migrations/99999`)).status, 404)
  assert.equal((await s.cloud.api(s.admin, 'DELETE', `${s.path}/migrations/${id}`)).status, 202)
  const stayed = await s.settled()
  assert.deepEqual([stayed.status, stayed['OS-EXT-SRV-ATTR:host']], ['ACTIVE', s.first])
  assert.deepEqual(s.cloud.guestHosts(s.server.id), [s.first])
  assert.deepEqual(Object.keys(await s.cloud.allocated(s.server.id)), [s.first])
  const all = await s.cloud.api<Listed>(s.admin, 'GET', `/os-migrations?instance_uuid=${s.server.id}`)
  assert.equal(all.body.migrations[0]!.status, 'cancelled')
  assert.equal((await s.cloud.api(s.admin, 'DELETE', `${s.path}/migrations/${id}`)).status, 409)
})

test('hosts that cannot be a target are refused before anything begins', async () => {
  await using s = await stage()
  const unknown = await s.live('nowhere')
  assert.deepEqual(
    [unknown.status, unknown.body.badRequest?.message],
    [400, 'Compute host nowhere could not be found.'],
  )
  assert.equal((await s.live(s.first)).status, 400)
  assert.equal(
    (await s.act({ 'os-migrateLive': { host: null, block_migration: 'auto' } }, 'latest', s.demo)).status,
    403,
  )
  const old = { host: null, block_migration: false, disk_over_commit: false }
  assert.equal((await s.act({ 'os-migrateLive': old }, '2.25')).status, 400)
  await s.act({ suspend: null })
  await s.settled()
  assert.equal((await s.live()).status, 409)
  assert.equal((await s.settled()).status, 'SUSPENDED')
})

test('moves are listed newest first, in pages, and to those who may see them', async () => {
  await using s = await stage()
  for (let turn = 0; turn < 3; turn++) {
    await s.live()
    await s.settled()
  }
  const list = async (query: string, version = 'latest') =>
    (await s.cloud.api<Listed>(s.admin, 'GET', `/os-migrations${query}`, undefined, version)).body
  const all = (await list('')).migrations
  assert.deepEqual(all.map(one => one.id).sort(), all.map(one => one.id).reverse())
  const page = await list('?limit=2')
  assert.equal(page.migrations.length, 2)
  assert.match(page.migrations_links![0]!.href, /marker=/)
  assert.equal((await list(`?marker=${all[1]!.uuid}`)).migrations.length, 1)
  assert.equal((await list(`?host=${s.first}`)).migrations.length, 3)
  assert.equal((await list('?migration_type=resize')).migrations.length, 0)
  const old = (await list('', '2.22')).migrations[0]!
  assert.equal('migration_type' in old || 'uuid' in old || 'project_id' in old, false)
  assert.equal((await s.cloud.api(s.demo, 'GET', '/os-migrations')).status, 403)
  assert.equal((await s.cloud.api(s.admin, 'GET', '/os-migrations?marker=nobody')).status, 400)
})

test('a server of a failed host is built anew elsewhere; the host that comes back lets go of it', async () => {
  await using s = await stage()
  const early = await s.act({ evacuate: {} })
  assert.deepEqual(
    [early.status, early.body.badRequest?.message],
    [400, `Compute service of ${s.first} is still in use.`],
  )
  await s.cloud.removeHost(s.first)
  await s.forceDown(s.first, true)
  assert.equal((await s.act({ evacuate: { host: s.first } })).status, 400)
  assert.equal((await s.act({ evacuate: { host: 'nowhere' } })).status, 404)
  assert.equal((await s.act({ evacuate: {} }, '2.94')).status, 200)
  assert.equal((await s.cloud.show(s.demo, s.server.id)).status, 'REBUILD')
  const moved = await s.settled()
  assert.deepEqual([moved.status, moved['OS-EXT-SRV-ATTR:host']], ['ACTIVE', s.second])
  assert.deepEqual(moved.addresses, s.server.addresses)
  const [move] = await s.cloud.openMoves(s.server.id)
  assert.deepEqual(Object.keys(await s.cloud.allocated(move!.uuid)), [s.first], 'its room is held while it is down')
  await s.forceDown(s.first, false)
  await s.cloud.addHost(s.first)
  // The host tells of the old guest on its way back, maybe once more while that goes.
  for (let round = 0; round < 10 && (await s.cloud.openMoves(s.server.id)).length > 0; round++) {
    await s.cloud.reconcile('compute.host-cleanups')
    assert.deepEqual(s.cloud.guestHosts(s.server.id), [s.second], 'the old guest is gone')
    await s.cloud.reconcile(evacuatedSources.id)
  }
  assert.deepEqual([await s.cloud.openMoves(s.server.id), await s.cloud.allocated(move!.uuid)], [[], {}])
})

test('the room at a failed host is held until that host has cleaned up, however much other hosts have to clean up', async () => {
  await using s = await stage()
  await s.cloud.ctx().transaction(async tx => {
    for (let n = 0; n < 1001; n++) await rememberCleanup(tx, 'elsewhere', `server-${n}`)
  })
  await s.cloud.removeHost(s.first)
  await s.forceDown(s.first, true)
  assert.equal((await s.act({ evacuate: {} })).status, 200)
  await s.settled()
  const [move] = await s.cloud.openMoves(s.server.id)
  await s.cloud.reconcile(evacuatedSources.id)
  assert.deepEqual(Object.keys(await s.cloud.allocated(move!.uuid)), [s.first])
  await s.forceDown(s.first, false)
  await s.cloud.addHost(s.first)
  await s.cloud.reconcile('compute.host-cleanups')
  assert.deepEqual(s.cloud.guestHosts(s.server.id), [s.second], 'it has its turn')
})

test('from 2.95 on an evacuated server waits to be started; before 2.14 its password is told', async () => {
  await using s = await stage()
  await s.forceDown(s.first, true)
  assert.equal((await s.act({ evacuate: {} })).status, 200)
  assert.equal((await s.settled()).status, 'SHUTOFF')
  await s.forceDown(s.first, false)
  await s.forceDown(s.second, true)
  const told = await s.act<{ adminPass: string }>({ evacuate: { onSharedStorage: false, adminPass: 'secret' } }, '2.13')
  assert.deepEqual(told.body, { adminPass: 'secret' })
  assert.equal((await s.settled()).status, 'SHUTOFF')
})
