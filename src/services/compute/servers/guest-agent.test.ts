/** Stories of servers with an agent in the guest: frozen for snapshots, asked for its figures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud, setProperties } from './fixtures/server-cloud.ts'

async function stage(properties: Record<string, string>) {
  const cloud = await serverCloud()
  await setProperties(cloud, properties)
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  return {
    cloud,
    demo,
    guest: () => cloud.drivers.h1!.guests.get(server.id)!,
    /** The status of the image that is made; undefined when none is left. */
    async snapshot() {
      const path = `/servers/${server.id}/action`
      const made = await cloud.api<{ image_id: string }>(demo, 'POST', path, { createImage: { name: 'copy' } })
      assert.equal(made.status, 202, JSON.stringify(made.body))
      await cloud.env.sagas.idle()
      const found = await cloud.request<{ status: string }>('GET', `/image/v2/images/${made.body.image_id}`, {
        token: demo.token,
      })
      return found.body.status
    },
    show: () => cloud.show(demo, server.id),
    async diagnostics(query = '') {
      const { body } = await cloud.api<{ filesystems?: { used_bytes: number }[] }>(
        await cloud.admin(),
        'GET',
        `/servers/${server.id}/diagnostics${query}`,
      )
      return body
    },
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  }
}

test('a guest whose image has an agent is frozen for its snapshot, and thawed', async () => {
  await using s = await stage({ hw_qemu_guest_agent: 'yes', os_require_quiesce: 'yes' })
  assert.equal(await s.snapshot(), 'active')
  assert.deepEqual(s.guest().agent, ['freeze', 'thaw'])
})

test('an image says in any of the words for yes that it has an agent', async () => {
  for (const yes of ['True', 'on', '1', 'Y']) {
    await using s = await stage({ hw_qemu_guest_agent: yes, os_require_quiesce: yes })
    assert.equal(await s.snapshot(), 'active')
    assert.deepEqual(s.guest().agent, ['freeze', 'thaw'])
    const software = { driver: 'packages', packages: ['nginx'] }
    const path = `/servers/${s.guest().spec.id}/os-software`
    assert.equal((await s.cloud.api(s.demo, 'PUT', path, { software })).status, 202)
    await s.cloud.env.sagas.idle()
    assert.deepEqual(s.guest().software?.installed, { nginx: '1.0' })
  }
})

test('an image that must be quiesced and has no agent is not copied', async () => {
  await using s = await stage({ os_require_quiesce: 'yes' })
  assert.equal(await s.snapshot(), undefined)
  const { status, fault, 'OS-EXT-STS:task_state': task } = await s.show()
  assert.deepEqual([status, task], ['ACTIVE', null])
  assert.equal(fault, undefined, 'a server that is well shows no fault')
  assert.equal((await s.cloud.row(s.guest().spec.id)).fault?.message, 'QEMU guest agent is not enabled')
})

test('one without an agent is copied as it is', async () => {
  await using s = await stage({})
  assert.equal(await s.snapshot(), 'active')
  assert.equal(s.guest().agent, undefined)
  assert.deepEqual((await s.diagnostics('?filesystems=true')).filesystems, [])
})

test('how full a guest is shows in its diagnostics when that is asked for', async () => {
  await using s = await stage({ hw_qemu_guest_agent: 'yes' })
  assert.equal('filesystems' in (await s.diagnostics()), false, 'strict clients refuse what upstream does not have')
  const used = async () => (await s.diagnostics('?filesystems=true')).filesystems![0]!.used_bytes
  const before = await used()
  s.cloud.drivers.h1!.write(s.guest().spec.id, 'root', 'a file')
  assert.ok((await used()) > before)
})
