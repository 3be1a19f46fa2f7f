/** Servers with NUMA cells, CPUs and devices of their own that move, change and come back. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { createCtx } from '#kernel/context.ts'
import { emptyQcow2 } from '../drivers/fake-disk.ts'
import { nothing, roomsCloud, whole } from './fixtures/rooms-cloud.ts'
import { tiny } from './fixtures/world.ts'

test('a moved server has room at both ends until it is decided, and then at one', async () => {
  await using s = await roomsCloud({ hosts: ['h1', 'h2'] })
  const flavorRef = await s.flavor('numa', { ...whole, 'pci_passthrough:alias': 'nic:1' })
  const { id } = await s.boot(s.demo, { flavorRef })
  const [from, to] = s.guestHosts(id)[0] === 'h1' ? ['h1', 'h2'] : ['h2', 'h1']
  const full = { cells: 2, cpus: 2, devices: 1 }
  assert.equal((await s.act(id, { migrate: null })).status, 202)
  assert.deepEqual([await s.taken(from), await s.taken(to)], [full, full])
  assert.equal((await s.act(id, { revertResize: null })).status, 202)
  assert.deepEqual([await s.taken(from), await s.taken(to)], [full, nothing])
  assert.deepEqual(s.drivers[from]!.guests.get(id)?.spec.cells?.[0]?.pins, { 0: 2 })
  await s.act(id, { migrate: null })
  assert.equal((await s.act(id, { confirmResize: null })).status, 204)
  assert.deepEqual([await s.taken(from), await s.taken(to)], [nothing, full])
  assert.deepEqual(Object.keys(await s.has(id)).sort(), [to, `${to}_0000:81:00.0`, `${to}_NUMA0`, `${to}_NUMA1`])
})

test('a live migration finds new CPUs; a server with a device stays', async () => {
  await using s = await roomsCloud({ hosts: ['h1', 'h2'] })
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  const blocker = await s.boot(s.demo, { flavorRef, availability_zone: undefined })
  const at = s.guestHosts(blocker.id)[0]!
  const { id } = await s.boot(s.demo, { flavorRef })
  const home = s.guestHosts(id)[0]!
  const away = home === 'h1' ? 'h2' : 'h1'
  const live = { 'os-migrateLive': { host: null, block_migration: 'auto' } }
  assert.equal((await s.act(id, live)).status, 202)
  assert.deepEqual(s.guestHosts(id), [away])
  assert.equal((await s.taken(home)).cpus, at === home ? 2 : 0)
  const pins = s.drivers[away]!.guests.get(id)?.spec.cells?.[0]?.pins
  assert.deepEqual(Object.values(pins ?? {}), await s.pinned(id))
  const withNic = await s.flavor('nic', { 'pci_passthrough:alias': 'nic:1' })
  const fixed = await s.boot(s.demo, { flavorRef: withNic })
  assert.equal((await s.act(fixed.id, live)).status, 202)
  const moves = await s.api<{ migrations: { status: string; instance_uuid: string }[] }>(
    s.administrator,
    'GET',
    `/os-migrations?instance_uuid=${fixed.id}`,
  )
  assert.deepEqual([moves.body.migrations[0]?.status, (await s.show(s.demo, fixed.id)).status], ['error', 'ACTIVE'])
  const old = { 'os-migrateLive': { host: null, block_migration: true, disk_over_commit: false } }
  const refused = await s.act(fixed.id, old, '2.1')
  assert.equal(refused.status, 400)
  assert.match(refused.body.badRequest!.message, /non-VIF related PCI requests/)
})

test('shelving gives the room back, unshelving finds it again', async () => {
  await using s = await roomsCloud()
  const flavorRef = await s.flavor('numa', { ...whole, 'pci_passthrough:alias': 'nic:1' })
  const { id } = await s.boot(s.demo, { flavorRef })
  await s.act(id, { shelve: null })
  await s.act(id, { shelveOffload: null })
  assert.deepEqual(await s.taken('h1'), nothing)
  await s.act(id, { unshelve: null })
  assert.deepEqual(
    [(await s.show(s.demo, id)).status, await s.taken('h1')],
    ['ACTIVE', { cells: 2, cpus: 2, devices: 1 }],
  )
})

test('a resize on the same host holds old and new CPUs until it is confirmed', async () => {
  await using s = await roomsCloud()
  const small = await s.flavor('small', { 'hw:cpu_policy': 'dedicated' }, 1)
  const large = await s.flavor('large', { 'hw:cpu_policy': 'dedicated' }, 2)
  const { id } = await s.boot(s.demo, { flavorRef: small })
  await s.act(id, { resize: { flavorRef: large } })
  assert.deepEqual(await s.taken('h1'), { cells: 2, cpus: 3, devices: 0 })
  await s.act(id, { confirmResize: null })
  assert.deepEqual(await s.taken('h1'), { cells: 1, cpus: 2, devices: 0 })
})

test('an evacuated server has other CPUs; its old ones are free when its host has let go of it', async () => {
  await using s = await roomsCloud({ hosts: ['h1', 'h2'] })
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  const { id } = await s.boot(s.demo, { flavorRef })
  const [from, to] = s.guestHosts(id)[0] === 'h1' ? ['h1', 'h2'] : ['h2', 'h1']
  const { body } = await s.api<{ services: { id: string; host: string }[] }>(s.administrator, 'GET', '/os-services')
  const service = body.services.find(({ host }) => host === from)!
  await s.api(s.administrator, 'PUT', `/os-services/${service.id}`, { forced_down: true })
  assert.equal((await s.act(id, { evacuate: {} })).status, 200)
  assert.deepEqual([(await s.taken(from)).cpus, (await s.taken(to)).cpus], [2, 2])
  assert.deepEqual(s.drivers[to]!.guests.get(id)?.spec.floating_cpus, await s.pinned(id))
})

test('a rebuild may not change the cells, and keeps the CPUs', async () => {
  await using s = await roomsCloud()
  const flavorRef = await s.flavor('large', { 'hw:mem_page_size': 'large' })
  const { id } = await s.boot(s.demo, { flavorRef })
  const before = await s.taken('h1')
  const { image } = s.env.services
  const ctx = s.ctx()
  const other = await image.create(
    createCtx(ctx, { requestId: 'req-two', identity: { ...ctx.identity, project_id: 'admin' } }),
    {
      name: 'two cells',
      disk_format: 'qcow2',
      container_format: 'bare',
      visibility: 'public',
      properties: { hw_numa_nodes: '2' },
    },
  )
  await image.upload(ctx, other.id, Readable.from([emptyQcow2(1024 ** 3)]))
  const refused = await s.act(id, { rebuild: { imageRef: other.id } })
  assert.deepEqual(
    [refused.status, refused.body.badRequest?.message],
    [
      400,
      "An instance's NUMA topology cannot be changed as part of a rebuild. The image provided is invalid for this instance.",
    ],
  )
  assert.equal((await s.act(id, { rebuild: { imageRef: tiny } })).status, 202)
  assert.deepEqual(await s.taken('h1'), before)
})
