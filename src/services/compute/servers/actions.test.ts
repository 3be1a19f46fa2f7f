/** Actions on servers: what each does to the guest, to the status, and when it is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { powerStates } from '../drivers/driver.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { nothingHeld } from './fixtures/world.ts'

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const path = `/servers/${server.id}`
  const guest = () => cloud.world.guests.h1!.get(server.id)
  return {
    cloud,
    demo,
    server,
    path,
    guest,
    /** Sends an action and waits until it has ended. */
    async act(body: Record<string, unknown>, who = demo, version = 'latest') {
      const answer = await cloud.api<Record<string, never>>(who, 'POST', `${path}/action`, body, version)
      await cloud.env.sagas.idle()
      return answer
    },
    status: async () => (await cloud.show(demo, server.id)).status,
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('stop and start, pause and unpause, suspend and resume go there and back', async () => {
  await using s = await stage()
  const walk = [
    ['os-stop', 'SHUTOFF', powerStates.shutdown],
    ['os-start', 'ACTIVE', powerStates.running],
    ['pause', 'PAUSED', powerStates.paused],
    ['unpause', 'ACTIVE', powerStates.running],
    ['suspend', 'SUSPENDED', powerStates.suspended],
    ['resume', 'ACTIVE', powerStates.running],
  ] as const
  for (const [action, status, power] of walk) {
    const answer = await s.act({ [action]: null })
    assert.equal(answer.status, 202, `${action}: ${JSON.stringify(answer.body)}`)
    const shown = await s.cloud.show(s.demo, s.server.id)
    assert.deepEqual(
      [shown.status, shown['OS-EXT-STS:task_state'], shown['OS-EXT-STS:power_state']],
      [status, null, power],
    )
    assert.equal(s.guest()?.power_state, power, action)
  }
})

test('power-off and power-on are stop and start under names of their own, in all that tells of them', async () => {
  await using s = await stage()
  const held = await s.cloud.allocated(s.server.id)
  assert.deepEqual(Object.keys(held), ['h1'])
  assert.equal((await s.act({ 'power-off': null }, s.demo, '2.1')).status, 202)
  const off = await s.cloud.show(s.demo, s.server.id)
  assert.deepEqual([off.status, off['OS-EXT-STS:task_state'], s.guest()?.power_state], ['SHUTOFF', null, 4])
  assert.deepEqual([await s.cloud.allocated(s.server.id), await s.cloud.portHosts(s.server.id)], [held, ['h1']])
  const again = await s.act({ 'power-off': null })
  assert.equal(again.status, 409)
  assert.match(JSON.stringify(again.body), /Cannot 'power-off' instance [0-9a-f-]{36} while it is in vm_state stopped/)
  assert.equal((await s.act({ 'power-on': null })).status, 202)
  assert.deepEqual([await s.status(), s.guest()?.power_state], ['ACTIVE', powerStates.running])
  await s.act({ 'os-stop': null })
  assert.equal((await s.act({ 'power-on': null })).status, 202)
  const { body } = await s.cloud.api<{ instanceActions: { action: string; message: string | null }[] }>(
    s.demo,
    'GET',
    `${s.path}/os-instance-actions`,
  )
  assert.deepEqual(
    body.instanceActions.map(({ action, message }) => [action, message]).toReversed(),
    ['create', 'power-off', 'power-on', 'stop', 'power-on'].map(name => [name, null]),
  )
})

test('who may stop and start a server may power it off and on, unless a policy of its own says otherwise', async () => {
  await using s = await stage()
  const statusOf = async (action: string) => (await s.act({ [action]: null })).status
  s.cloud.env.policy.override({ 'os_compute_api:servers:stop': 'rule:context_is_admin' })
  assert.deepEqual([await statusOf('os-stop'), await statusOf('power-off')], [403, 403])
  s.cloud.env.policy.override({ 'nephos:servers:power_off': 'rule:context_is_admin' })
  assert.deepEqual([await statusOf('power-off'), await statusOf('os-stop')], [403, 202])
  s.cloud.env.policy.override({ 'nephos:servers:power_on': '!' })
  assert.deepEqual([await statusOf('power-on'), await statusOf('os-start')], [403, 202])
})

test('an action that the state does not allow is a 409 in upstream’s words', async () => {
  await using s = await stage()
  const answer = await s.act({ 'os-start': null })
  assert.equal(answer.status, 409)
  assert.deepEqual(answer.body, {
    conflictingRequest: {
      code: 409,
      message: `Cannot 'start' instance ${s.server.id} while it is in vm_state active`,
    },
  })
})

test('an action that fails leaves the server as it was, free for others', async () => {
  await using s = await stage()
  s.cloud.drivers.h1!.inject({ method: 'pause', error: 'no' })
  assert.equal((await s.act({ pause: null })).status, 202)
  const shown = await s.cloud.show(s.demo, s.server.id)
  assert.deepEqual([shown.status, shown['OS-EXT-STS:task_state']], ['ACTIVE', null])
  assert.equal((await s.act({ pause: null })).status, 202)
  assert.equal(await s.status(), 'PAUSED')
})

test('a soft reboot needs an active server, a hard one also brings a stopped or failed one back', async () => {
  await using s = await stage()
  assert.equal((await s.act({ reboot: { type: 'SOFT' } })).status, 202)
  assert.equal(await s.status(), 'ACTIVE')
  await s.act({ 'os-stop': null })
  assert.equal((await s.act({ reboot: { type: 'SOFT' } })).status, 409)
  assert.equal((await s.act({ reboot: { type: 'HARD' } })).status, 202)
  assert.equal(await s.status(), 'ACTIVE')
  const admin = await s.cloud.admin()
  assert.equal((await s.act({ 'os-resetState': { state: 'error' } }, admin)).status, 202)
  assert.equal(await s.status(), 'ERROR')
  assert.equal((await s.act({ reboot: { type: 'HARD' } })).status, 202)
  assert.equal(await s.status(), 'ACTIVE')
  assert.equal((await s.act({ reboot: { type: 'medium' } })).status, 400)
  assert.equal((await s.act({ reboot: null })).status, 400)
})

test('reset of the state is for admins, to active or error alone', async () => {
  await using s = await stage()
  assert.equal((await s.act({ 'os-resetState': { state: 'error' } })).status, 403)
  const admin = await s.cloud.admin()
  assert.equal((await s.act({ 'os-resetState': { state: 'stopped' } }, admin)).status, 400)
})

test('a locked server takes its owner’s actions no more; an admin’s lock is not the owner’s to undo', async () => {
  await using s = await stage()
  assert.equal((await s.act({ lock: { locked_reason: 'audit' } })).status, 202)
  const shown = await s.cloud.show(s.demo, s.server.id)
  assert.deepEqual([shown.locked, shown.locked_reason], [true, 'audit'])
  const refused = await s.act({ 'os-stop': null })
  assert.equal(refused.status, 409)
  assert.match(JSON.stringify(refused.body), /is locked/)
  assert.equal((await s.cloud.api(s.demo, 'DELETE', s.path)).status, 409)
  const admin = await s.cloud.admin()
  assert.equal((await s.act({ 'os-stop': null }, admin)).status, 202)
  assert.equal((await s.act({ unlock: null })).status, 202)
  assert.equal((await s.act({ lock: null }, admin)).status, 202)
  assert.equal((await s.act({ lock: null })).status, 202)
  assert.equal((await s.act({ unlock: null })).status, 403)
  assert.equal((await s.act({ unlock: null }, admin)).status, 202)
  assert.equal((await s.cloud.show(s.demo, s.server.id)).locked, false)
})

test('the console shows what the guest printed, the last lines on demand, and not without a guest', async () => {
  await using s = await stage()
  s.cloud.drivers.h1!.print(s.server.id, 'one\u001b[0m\ntwo\n')
  const output = async (length?: unknown) =>
    (await s.act({ 'os-getConsoleOutput': length === undefined ? {} : { length } })).body as unknown as {
      output: string
    }
  assert.match((await output()).output, /login: one\[0m\ntwo\n$/)
  assert.equal((await output(1)).output, 'two\n')
  assert.equal((await output('1')).output, 'two\n')
  assert.match((await output(null)).output, /SeaBIOS/)
  assert.equal((await s.act({ 'os-getConsoleOutput': { length: 'x' } })).status, 400)
  s.cloud.world.guests.h1!.clear()
  assert.equal((await s.act({ 'os-getConsoleOutput': {} })).status, 404)
})

test('an image of a server gets the bytes of its disk and says what it was made of', async () => {
  await using s = await stage()
  const answer = await s.act({ createImage: { name: 'copy', metadata: { role: 'web' } } })
  assert.equal(answer.status, 202, JSON.stringify(answer.body))
  const { image_id } = answer.body as unknown as { image_id: string }
  const image = await s.cloud.env.services.image.get(s.cloud.ctx(), image_id)
  assert.deepEqual([image?.status, image?.disk_format], ['active', 'qcow2'])
  assert.equal(image?.properties.role, 'web')
  assert.equal(image?.properties.image_type, 'snapshot')
  assert.equal(image?.properties.instance_uuid, s.server.id)
  assert.equal(await s.status(), 'ACTIVE')
  const old = await s.act({ createImage: { name: 'copy' } }, s.demo, '2.44')
  assert.match(old.headers.location ?? '', /\/images\/[0-9a-f-]{36}$/)
})

test('an image of a server that cannot be written is not left behind', async () => {
  await using s = await stage()
  const images = async () =>
    (await s.cloud.request<{ images: unknown[] }>('GET', '/image/v2/images', { token: s.demo.token })).body.images
      .length
  const before = await images()
  s.cloud.drivers.h1!.inject({ method: 'snapshot', error: 'disk is full' })
  assert.equal((await s.act({ createImage: { name: 'copy' } })).status, 202)
  assert.equal(await images(), before)
  assert.equal((await s.cloud.show(s.demo, s.server.id))['OS-EXT-STS:task_state'], null)
})

test('another project’s server is not there for any action', async () => {
  await using s = await stage()
  const other = await s.cloud.project('p2')
  for (const body of [
    { 'os-stop': null },
    { reboot: { type: 'HARD' } },
    { lock: null },
    { createImage: { name: 'x' } },
  ]) {
    assert.equal((await s.act(body, other)).status, 404, JSON.stringify(body))
  }
})

test('unknown actions, two actions at once, and none are 400', async () => {
  await using s = await stage()
  for (const body of [{}, { dance: null }, { 'os-stop': null, pause: null }]) {
    assert.equal((await s.act(body)).status, 400, JSON.stringify(body))
  }
})

test('a crash dump is asked for from 2.17 on', async () => {
  await using s = await stage()
  assert.equal((await s.act({ trigger_crash_dump: null })).status, 202)
  assert.equal((await s.act({ trigger_crash_dump: null }, s.demo, '2.16')).status, 400)
})

test('a server that is being stopped is deleted without waiting for its guest', async () => {
  await using s = await stage()
  const driver = s.cloud.drivers.h1!
  driver.inject({ method: 'stop', delayMs: 3_600_000 })
  await s.cloud.api(s.demo, 'POST', `${s.path}/action`, { 'os-stop': null })
  for (let i = 0; i < 1000 && driver.injected().some(fault => !fault.met); i++) {
    await new Promise(resolve => setImmediate(resolve))
  }
  await s.cloud.remove(s.demo, s.server.id)
  assert.deepEqual(await s.cloud.held(), nothingHeld)
})
