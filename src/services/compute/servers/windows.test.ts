/** Stories of servers whose image says that it is a Windows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud, setProperties } from './fixtures/server-cloud.ts'
import { sysprep } from './sysprep.ts'

async function stage(properties: Record<string, string> = {}) {
  const cloud = await serverCloud()
  await setProperties(cloud, {
    ...{ hw_qemu_guest_agent: 'yes', os_type: 'windows', os_require_sysprep: 'yes' },
    ...properties,
  })
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  return Object.assign(cloud, {
    demo,
    id,
    guest: () => cloud.drivers.h1!.guests.get(id)!,
    async act(body: object) {
      const path = `/servers/${id}/action`
      const answer = await cloud.api<{ image_id: string; conflictingRequest?: { message: string } }>(
        demo,
        'POST',
        path,
        body,
      )
      await cloud.env.sagas.idle()
      return answer
    },
    async imageStatus(image: string) {
      return (await cloud.request<{ status?: string }>('GET', `/image/v2/images/${image}`, { token: demo.token })).body
        .status
    },
    /** The steps of the newest snapshot, as its owner sees them. */
    async steps() {
      const path = `/servers/${id}/os-instance-actions`
      const { body } = await cloud.api<{ instanceActions: { request_id: string }[] }>(demo, 'GET', path)
      const shown = await cloud.api<{ instanceAction: { events: { event: string; result: string }[] } }>(
        demo,
        'GET',
        `${path}/${body.instanceActions[0]!.request_id}`,
      )
      return shown.body.instanceAction.events.map(({ event, result }) => [event, result]).reverse()
    },
  })
}

test("a password is its Administrator's, unless the image names another", async () => {
  await using s = await stage()
  assert.equal((await s.act({ changePassword: { adminPass: 'top-secret' } })).status, 202)
  assert.deepEqual(s.guest().passwords, { Administrator: 'top-secret' })
})

test('sysprep runs before the snapshot, then the guest is frozen for it', async () => {
  await using s = await stage()
  const made = await s.act({ createImage: { name: 'golden' } })
  assert.equal(await s.imageStatus(made.body.image_id), 'active')
  assert.deepEqual(s.guest().software!.ran, [[sysprep.path, ...sysprep.args]])
  assert.deepEqual(s.guest().agent, ['freeze', 'thaw'])
  assert.deepEqual(await s.steps(), [
    ['sysprep', 'Success'],
    ['snapshot guest', 'Success'],
    ['settle', 'Success'],
  ])
  const backup = await s.act({ createBackup: { name: 'b', backup_type: 'daily', rotation: 1 } })
  assert.equal(await s.imageStatus(backup.body.image_id), 'active')
  assert.equal(s.guest().software!.ran.length, 1, 'a backup is of this server and no other')
})

test('when sysprep fails there is no image, and the server goes on', async () => {
  await using s = await stage({ os_distro: 'debian' })
  const made = await s.act({ createImage: { name: 'golden' } })
  assert.equal(await s.imageStatus(made.body.image_id), undefined)
  const { vm_state, task_state, fault } = await s.row(s.id)
  assert.deepEqual([vm_state, task_state], ['active', null])
  assert.match(fault!.message, /^The guest was not made ready: sysprep: .*No such file/)
})

test('where sysprep could not be done the snapshot is refused at once', async () => {
  await using stopped = await stage()
  await stopped.act({ 'os-stop': null })
  const refused = await stopped.act({ createImage: { name: 'golden' } })
  assert.equal(refused.status, 409)
  assert.match(refused.body.conflictingRequest!.message, /it has to be active/)
  await using mute = await stage({ hw_qemu_guest_agent: 'no' })
  assert.match(
    (await mute.act({ createImage: { name: 'golden' } })).body.conflictingRequest!.message,
    /hw_qemu_guest_agent/,
  )
})
