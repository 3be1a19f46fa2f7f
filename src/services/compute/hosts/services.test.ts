import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld } from '../servers/fixtures/world.ts'

type Refused = Record<string, { message: string }>

onEachEngine('a host stays known while a resize from it waits to be confirmed', async database => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], world: await newWorld(undefined, database) })
  const admin = await cloud.admin()
  const demo = await cloud.project('p1')
  const { id, 'OS-EXT-SRV-ATTR:host': host } = await cloud.boot(admin)
  assert.equal((await cloud.api(admin, 'POST', `/servers/${id}/action`, { migrate: null })).status, 202)
  await cloud.env.sagas.idle()
  assert.equal((await cloud.show(admin, id)).status, 'VERIFY_RESIZE')
  const { services } = (await cloud.api<{ services: { id: string; host: string }[] }>(admin, 'GET', '/os-services'))
    .body
  const left = services.find(one => one.host === host)!
  const remove = () => cloud.api<Refused>(admin, 'DELETE', `/os-services/${left.id}`)
  const refused = await remove()
  assert.deepEqual(
    [refused.status, refused.body.conflictingRequest!.message],
    [
      409,
      'Unable to delete compute service that has in-progress migrations. Complete the migrations or delete the instances first.',
    ],
  )
  assert.equal((await cloud.api(admin, 'POST', `/servers/${id}/action`, { confirmResize: null })).status, 204)
  await cloud.env.sagas.idle()
  await cloud.removeHost(left.host)
  assert.equal((await remove()).status, 204)
  assert.equal((await cloud.api(demo, 'GET', '/os-services')).status, 403)
})
