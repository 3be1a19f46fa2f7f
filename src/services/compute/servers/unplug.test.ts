/** Stories of ports that are deleted where ports are: the running guest loses its NIC. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from './fixtures/server-cloud.ts'

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const nics = () => cloud.drivers.h1!.guests.get(id)!.nics.map(nic => nic.port_id)
  return {
    cloud,
    demo,
    id,
    nics,
    async deletePort(port: string) {
      const { status } = await cloud.request('DELETE', `/network/v2.0/ports/${port}`, { token: demo.token })
      await cloud.env.sagas.idle()
      return status
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('a deleted port leaves the running guest, and is no action of the server', async () => {
  await using s = await stage()
  const [port] = s.nics()
  const before = await s.cloud.api<{ instanceActions: unknown[] }>(
    s.demo,
    'GET',
    `/servers/${s.id}/os-instance-actions`,
  )
  assert.equal(await s.deletePort(port!), 204)
  assert.deepEqual(s.nics(), [])
  assert.deepEqual((await s.cloud.show(s.demo, s.id)).addresses, {})
  const after = await s.cloud.api<{ instanceActions: unknown[] }>(s.demo, 'GET', `/servers/${s.id}/os-instance-actions`)
  assert.equal(after.body.instanceActions.length, before.body.instanceActions.length)
  assert.equal((await s.cloud.show(s.demo, s.id)).status, 'ACTIVE')
})

test('a port that the host could not attach, or did attach before it failed, is not in the guest', async () => {
  await using s = await stage()
  const [own] = s.nics()
  for (const afterwards of [false, true]) {
    s.cloud.drivers.h1!.inject({ method: 'attachNic', error: 'no space', afterwards })
    const body = { interfaceAttachment: { net_id: s.cloud.network } }
    assert.equal((await s.cloud.api(s.demo, 'POST', `/servers/${s.id}/os-interface`, body)).status, 500)
    await s.cloud.env.sagas.idle()
    assert.deepEqual(s.nics(), [own])
    assert.equal((await s.cloud.held()).ports, 1)
  }
})

test('a host that fails to take back what it attached is asked until it has', async () => {
  await using s = await stage()
  const [own] = s.nics()
  s.cloud.drivers.h1!.inject({ method: 'attachNic', error: 'no space', afterwards: true })
  s.cloud.drivers.h1!.inject({ method: 'detachNic', error: 'the guest holds it' })
  const body = { interfaceAttachment: { net_id: s.cloud.network } }
  assert.equal((await s.cloud.api(s.demo, 'POST', `/servers/${s.id}/os-interface`, body)).status, 500)
  await s.cloud.env.sagas.idle()
  assert.deepEqual(s.nics(), [own])
  assert.equal((await s.cloud.held()).ports, 1)
})

test('who attaches a port that somebody else detaches at once is told that it is not there, which is no failure', async () => {
  let detach = async () => {}
  await using cloud = await serverCloud({
    async sagaProbe({ step, at }) {
      if (step === 'attach NIC' && at === 'journaled') await detach()
    },
  })
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const interfaces = `/servers/${id}/os-interface`
  const [own] = cloud.drivers.h1!.guests.get(id)!.nics
  detach = async () => {
    const added = cloud.drivers.h1!.guests.get(id)!.nics.find(nic => nic.port_id !== own!.port_id)
    assert.equal((await cloud.api(demo, 'DELETE', `${interfaces}/${added!.port_id}`)).status, 202)
  }
  const answer = await cloud.api(demo, 'POST', interfaces, { interfaceAttachment: { net_id: cloud.network } })
  assert.equal(answer.status, 404, JSON.stringify(answer.body))
  assert.deepEqual(cloud.drivers.h1!.guests.get(id)!.nics, [own])
})

test('a stopped server starts without the port that was deleted', async () => {
  await using s = await stage()
  const [port] = s.nics()
  const act = async (body: unknown) => {
    assert.equal((await s.cloud.api(s.demo, 'POST', `/servers/${s.id}/action`, body)).status, 202)
    await s.cloud.env.sagas.idle()
  }
  await act({ 'os-stop': null })
  assert.equal(await s.deletePort(port!), 204)
  await act({ 'os-start': null })
  assert.deepEqual(s.nics(), [])
})
