/** Stories of small actions: backups, passwords, ports seen to again, volumes that are not there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud, setProperties } from './fixtures/server-cloud.ts'
import { tiny } from './fixtures/world.ts'

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const admin = await cloud.admin()
  const server = await cloud.boot(demo)
  const act = async <T = { image_id: string; conflictingRequest?: { message: string } }>(
    body: unknown,
    version = 'latest',
    who: { token: string } = demo,
  ) => {
    const answer = await cloud.api<T>(who, 'POST', `/servers/${server.id}/action`, body, version)
    await cloud.env.sagas.idle()
    return answer
  }
  return {
    cloud,
    demo,
    admin,
    server,
    act,
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('of the backups of a kind the newest are kept', async () => {
  await using s = await stage()
  const backup = (name: string, rotation: unknown, backup_type = 'daily', version = 'latest') =>
    s.act({ createBackup: { name, backup_type, rotation } }, version)
  const names = async () => {
    const { token } = s.demo
    const { body } = await s.cloud.request<{ images: { id: string; name: string }[] }>('GET', '/image/v2/images', {
      token,
    })
    return body.images.filter(image => image.id !== tiny).map(image => image.name)
  }
  assert.match((await backup('one', '2')).body.image_id, /^[0-9a-f-]{36}$/)
  await backup('weekly', 1, 'weekly')
  await backup('two', 2)
  await backup('three', 2)
  assert.deepEqual((await names()).sort(), ['three', 'two', 'weekly'])
  const old = await backup('four', 1, 'daily', '2.44')
  assert.match(old.headers.location ?? '', /\/images\//)
  assert.deepEqual((await names()).sort(), ['four', 'weekly'])
  assert.equal((await backup('none', -1)).status, 400)
  assert.equal((await s.cloud.show(s.demo, s.server.id)).status, 'ACTIVE')
})

test('the first password of a server is nowhere in clear while the server is built', async () => {
  await using cloud = await serverCloud({ faults: { h1: [{ method: 'spawn', delayMs: 300 }] } })
  const demo = await cloud.project('p1')
  const id = await cloud.ask(demo, { adminPass: 'top-secret', config_drive: true })
  const { root } = cloud.env.database
  const kept = await root.selectFrom('compute_server_guest_data').select('admin_password').executeTakeFirstOrThrow()
  assert.ok(kept.admin_password && !kept.admin_password.includes('top-secret'))
  await cloud.env.sagas.idle()
  const drive = cloud.drivers.h1!.guests.get(id)!.spec.config_drive!
  assert.equal(JSON.parse(String(drive['openstack/latest/meta_data.json'])).admin_pass, 'top-secret')
  const journal = await root.selectFrom('kernel_sagas').selectAll().execute()
  assert.ok(!JSON.stringify(journal).includes('top-secret'))
})

test('a password reaches the guest and nothing else', async () => {
  await using s = await stage()
  assert.equal((await s.act({ changePassword: { adminPass: 'top-secret' } })).status, 202)
  assert.deepEqual(s.cloud.drivers.h1!.guests.get(s.server.id)?.passwords, { root: 'top-secret' })
  const journal = await s.cloud.env.database.root.selectFrom('kernel_sagas').selectAll().execute()
  assert.ok(journal.some(row => row.saga === 'compute.servers.changePassword'))
  assert.equal(JSON.stringify(journal).includes('top-secret'), false)
  s.cloud.drivers.h1!.inject({ method: 'changePassword', error: 'Guest agent is not enabled for the instance' })
  const refused = await s.act({ changePassword: { adminPass: 'x' } })
  assert.equal(refused.status, 409)
  assert.equal(refused.body.conflictingRequest?.message, 'Guest agent is not enabled for the instance')
  await s.act({ 'os-stop': null })
  assert.equal((await s.act({ changePassword: { adminPass: 'x' } })).status, 409)
})

test('where the image has an agent, a guest that has lost its addresses is given them again', async () => {
  await using cloud = await serverCloud()
  await setProperties(cloud, { hw_qemu_guest_agent: 'yes' })
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  const server = await cloud.boot(demo)
  const reset = async () => {
    const { status } = await cloud.api(admin, 'POST', `/servers/${server.id}/action`, { injectNetworkInfo: null })
    assert.equal(status, 202)
    await cloud.env.sagas.idle()
  }
  await reset()
  const [{ addr, 'OS-EXT-IPS-MAC:mac_addr': mac }] = server.addresses.private
  const guest = cloud.drivers.h1!.guests.get(server.id)!
  assert.deepEqual(guest.agent, [`network ${mac} ${addr}/16`])
  cloud.drivers.h1!.inject({ method: 'resetNetwork', error: 'The agent of the guest does not answer.' })
  await reset()
  assert.equal((await cloud.row(server.id)).fault?.message, 'The agent of the guest does not answer.')
  await cloud.api(demo, 'POST', `/servers/${server.id}/action`, { pause: null })
  await cloud.env.sagas.idle()
  await reset()
  assert.equal(guest.agent?.length, 1)
})

test('ports are seen to again; what was about an old hypervisor is gone', async () => {
  await using s = await stage()
  assert.equal((await s.act({ injectNetworkInfo: null }, 'latest', s.admin)).status, 202)
  assert.equal((await s.act({ injectNetworkInfo: null })).status, 403)
  assert.equal((await s.act({ resetNetwork: null }, 'latest', s.admin)).status, 410)
  assert.equal((await s.act({ restore: null })).status, 409)
})

test('no server has a volume, and none can be found', async () => {
  await using s = await stage()
  const path = `/servers/${s.server.id}/os-volume_attachments`
  const list = await s.cloud.api<{ volumeAttachments: unknown[] }>(s.demo, 'GET', path)
  assert.deepEqual([list.status, list.body.volumeAttachments], [200, []])
  assert.equal((await s.cloud.api(s.demo, 'GET', `${path}/${tiny}`)).status, 404)
  const body = { volumeAttachment: { volumeId: tiny } }
  const attach = await s.cloud.api<{ itemNotFound: { message: string } }>(s.demo, 'POST', path, body)
  assert.equal(attach.body.itemNotFound.message, `Volume ${tiny} could not be found.`)
  assert.equal((await s.cloud.api(s.demo, 'PUT', `${path}/${tiny}`, body)).status, 404)
  assert.equal((await s.cloud.api(s.demo, 'DELETE', `${path}/${tiny}`)).status, 404)
})
