/** What goes wrong is told once: one event, one fault, one line of the log, all of the same request. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { Notification } from '#kernel/events/notification.ts'
import { keptLog } from '../../../../test/kept-log.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { tiny } from '../servers/fixtures/world.ts'

async function stage(set: string[] = []) {
  const lines: Record<string, unknown>[] = []
  const cloud = await serverCloud({ log: keptLog(lines), set })
  const told: Notification[] = []
  cloud.env.bus.subscribe('versioned_notifications.*', payload => void told.push(payload as Notification))
  const demo = await cloud.project('p1')
  return { cloud, lines, told, demo, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

test('a rebuild that fails', async () => {
  await using s = await stage()
  const server = await s.cloud.boot(s.demo)
  s.told.length = 0
  s.lines.length = 0
  s.cloud.drivers.h1!.inject({ method: 'spawn', error: 'the disk is broken' })
  const body = { rebuild: { imageRef: tiny } }
  const asked = await s.cloud.api(s.demo, 'POST', `/servers/${server.id}/action`, body)
  await s.cloud.env.sagas.idle()
  const request = asked.headers['x-openstack-request-id']
  const errors = s.told.filter(one => one.priority === 'ERROR')
  assert.deepEqual(
    errors.map(one => [one.event_type, one._context_request_id]),
    [['instance.rebuild.error', request]],
  )
  assert.deepEqual(
    s.lines.map(line => [line.request_id, line.err, line.msg]),
    [[request, 'the disk is broken', 'saga failed and was undone']],
  )
  assert.equal((await s.cloud.row(server.id)).fault?.message, 'the disk is broken')
})

test('a server that no host has room for, which compute tasks tell of as well', async () => {
  await using s = await stage(['compute.notify_scheduling=true'])
  const admin = await s.cloud.admin()
  const flavor = { id: 'huge', name: 'huge', ram: 9_000_000, vcpus: 1, disk: 1 }
  await s.cloud.api(admin, 'POST', '/flavors', { flavor })
  const quota = { quota_set: { ram: -1 } }
  assert.equal((await s.cloud.api(admin, 'PUT', `/os-quota-sets/${s.demo.id}`, quota)).status, 200)
  s.told.length = 0
  s.lines.length = 0
  const server = await s.cloud.boot(s.demo, { flavorRef: 'huge' })
  assert.equal(server.status, 'ERROR')
  assert.deepEqual(
    s.lines.map(line => [line.request_id, line.subject, line.err, line.msg]),
    [[s.told[0]!._context_request_id, server.id, server.fault?.message, 'a server could not be placed']],
  )
  const names = s.told.map(one => one.event_type)
  assert.deepEqual(names, [
    'scheduler.select_destinations.start',
    'instance.create.start',
    'compute_task.build_instances.error',
    'instance.create.error',
  ])
  const task = s.told[2]!.payload as { 'nova_object.data': Record<string, unknown> }
  assert.equal(task['nova_object.data'].instance_uuid, server.id)
  assert.equal(task['nova_object.data'].state, 'error')
  assert.equal(new Set(s.told.map(one => one._context_request_id)).size, 1)
})

test('each change of state is told where the configuration wants it', async () => {
  await using s = await stage(['compute.notify_on_state_change=vm_and_task_state'])
  const server = await s.cloud.boot(s.demo)
  s.told.length = 0
  await s.cloud.api(s.demo, 'POST', `/servers/${server.id}/action`, { pause: null })
  await s.cloud.env.sagas.idle()
  const updates = s.told.filter(one => one.event_type === 'instance.update')
  const states = updates.map(one => {
    const data = (one.payload as Record<string, Record<string, Record<string, Record<string, unknown>>>>)[
      'nova_object.data'
    ]!
    const { old_state, state, old_task_state, new_task_state } = data.state_update!['nova_object.data']!
    return [old_state, state, old_task_state, new_task_state]
  })
  assert.deepEqual(states, [
    ['active', 'active', null, 'pausing'],
    ['active', 'paused', 'pausing', null],
  ])
})

test('a snapshot whose bytes are not taken, which the image service tells nobody of', async () => {
  await using s = await stage()
  const server = await s.cloud.boot(s.demo)
  const torn = async function* () {
    yield 'the first bytes'
    throw new Error('the disk of the host is torn')
  }
  Object.assign(s.cloud.drivers.h1!, { snapshot: async () => Readable.from(torn()) })
  const errors: string[] = []
  s.cloud.env.bus.subscribe('notifications.error', told => void errors.push((told as Notification).event_type))
  const images: string[] = []
  s.cloud.env.bus.subscribe('notifications.info', told => void images.push((told as Notification).event_type))
  await s.cloud.api(s.demo, 'POST', `/servers/${server.id}/action`, { createImage: { name: 'copy' } })
  await s.cloud.env.sagas.idle()
  assert.deepEqual(errors, ['compute.instance.snapshot.error'])
  assert.deepEqual(
    images.filter(name => name.startsWith('image.')),
    ['image.create', 'image.prepare', 'image.delete'],
  )
})
