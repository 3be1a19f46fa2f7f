/** Faults on demand, as clients meet them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientOf } from './fixtures/client.ts'
import { startCloud } from './start-cloud.ts'

test('the third of some calls is answered with 429 and Retry-After, in the words of the service', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const { id } = await cloud.faults.add({
    ...{ kind: 'answer', status: 429, message: 'Slow down.', headers: { 'Retry-After': '2' } },
    ...{ operation: 'compute.servers.list', call: 3 },
  })
  const answers = []
  for (let i = 0; i < 4; i++) answers.push(await client.ask('GET', '/compute/v2.1/servers'))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 429, 200],
  )
  assert.equal(answers[2]!.headers.get('retry-after'), '2')
  assert.deepEqual(answers[2]!.body, { overLimit: { code: 429, message: 'Slow down.', retryAfter: '2' } })
  const { seen, hits } = await cloud.faults.show(id)
  assert.deepEqual({ seen, hits }, { seen: 4, hits: 1 })
})

test('a fault knows its service: a conflict in Neutron is Neutron’s', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.faults.add({ kind: 'answer', status: 409, message: 'In use.', operation: 'network.*', method: 'post' })
  const made = await client.ask('POST', '/network/v2.0/networks', { network: { name: 'n' } })
  assert.deepEqual(
    [made.status, made.body],
    [409, { NeutronError: { type: 'Conflict', message: 'In use.', detail: '' } }],
  )
})

test('a fault by path and project leaves others alone', async () => {
  await using cloud = await startCloud()
  const [demo, admin] = [await clientOf(cloud), await clientOf(cloud, 'admin')]
  await cloud.faults.add({
    ...{ kind: 'answer', status: 503, body: { any: ['thing'] }, times: 'every' },
    ...{ path: '/compute/v2.1/flavors*', project: 'demo' },
  })
  for (const path of ['/compute/v2.1/flavors', '/compute/v2.1/flavors/detail?limit=1'])
    assert.deepEqual((await demo.ask('GET', path)).body, { any: ['thing'] })
  assert.equal((await admin.ask('GET', '/compute/v2.1/flavors')).status, 200)
  assert.equal((await demo.ask('GET', '/compute/v2.1/servers')).status, 200)
})

test('a fault by resource meets the one of that name, and later the one of that id', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.faults.add({
    kind: 'error',
    message: 'the disk is on fire',
    work: 'compute.servers.create',
    resource: 'web-2',
  })
  const good = await client.createServer('web-1')
  const bad = await client.createServer('web-2')
  await client.untilStatus(good, 'ACTIVE')
  await client.untilStatus(bad, 'ERROR')
  const { fault } = await client.server(bad)
  assert.equal(fault?.code, 500)
  assert.match(fault?.message ?? '', /the disk is on fire$/)
  await cloud.faults.add({ kind: 'answer', status: 500, resource: good, times: 'every' })
  assert.equal((await client.ask('GET', `/compute/v2.1/servers/${good}`)).status, 500)
  assert.equal((await client.ask('GET', `/compute/v2.1/servers/${bad}`)).status, 200)
})

test('each service says in its own way that a quota is used up', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.faults.add({ kind: 'over-quota', operation: '*.create', times: 'every' })
  const server = await client.ask('POST', '/compute/v2.1/servers', await client.serverBody('s'))
  assert.equal(server.status, 403)
  assert.match(JSON.stringify(server.body), /"forbidden".*Quota exceeded for instances/)
  const port = await client.ask('POST', '/network/v2.0/networks', { network: { name: 'n' } })
  assert.equal(port.status, 409)
  assert.match(JSON.stringify(port.body), /OverQuota.*\['network'\]/)
  assert.deepEqual(await client.servers(), [])
})

test('no valid host: the server is there, in ERROR, as when the cloud is full', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.faults.add({ kind: 'no-valid-host', project: 'demo' })
  const id = await client.createServer('homeless')
  const { status, fault } = await client.server(id)
  assert.equal(status, 'ERROR')
  assert.match(fault?.message ?? '', /^No valid host was found/)
  await client.untilStatus(await client.createServer('housed'), 'ACTIVE')
})

test('no scheduler: the server is in BUILD without a host until there is one, or until it is deleted', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.clock.freeze()
  const { id: fault } = await cloud.faults.add({ kind: 'no-scheduler', times: 'every' })
  const [one, two] = [await client.createServer('one'), await client.createServer('two')]
  await cloud.clock.advance(60)
  for (const id of [one, two]) assert.equal((await client.server(id))['OS-EXT-STS:task_state'], 'scheduling')
  await cloud.assertions.require('sound')
  assert.equal((await client.ask('DELETE', `/compute/v2.1/servers/${one}`)).status, 204)
  await cloud.clock.advance(1)
  assert.deepEqual(await client.servers(), ['two'])
  await cloud.faults.remove(fault)
  await cloud.clock.advance(10)
  assert.equal((await client.server(two)).status, 'ACTIVE')
  assert.deepEqual(await client.servers(), ['two'])
})

test('a stuck server stays in BUILD until the fault goes, or until it is deleted', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const { id: fault } = await cloud.faults.add({
    kind: 'stuck',
    work: 'compute.servers.create',
    step: 'spawn on *',
    times: 2,
  })
  const one = await client.createServer('one')
  const two = await client.createServer('two')
  await cloud.clock.advance(60)
  for (const id of [one, two]) assert.equal((await client.server(id))['OS-EXT-STS:task_state'], 'networking')
  assert.equal((await client.ask('DELETE', `/compute/v2.1/servers/${one}`)).status, 204)
  await cloud.clock.advance(1)
  assert.deepEqual(await client.servers(), ['two'])
  await cloud.faults.remove(fault)
  await client.untilStatus(two, 'ACTIVE')
})

test('a connection breaks before the work, or after it: then the client cannot know', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const body = await client.serverBody('maybe')
  const post = () => client.ask('POST', '/compute/v2.1/servers', body)
  await cloud.faults.add({ kind: 'drop', operation: 'compute.servers.create' })
  await assert.rejects(post())
  assert.deepEqual(await client.servers(), [])
  await cloud.faults.add({ kind: 'drop', after: true, operation: 'compute.servers.create' })
  await assert.rejects(post())
  assert.deepEqual(await client.servers(), ['maybe'])
  const calls = await cloud.calls.list({ operation: 'compute.servers.create' })
  assert.deepEqual(
    calls.map(({ status, faults }) => ({ status, faults })),
    [
      { status: null, faults: ['fault-1'] },
      { status: null, faults: ['fault-2'] },
    ],
  )
})

test('a delayed answer waits for the cloud’s time, not for ours', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.clock.freeze()
  await cloud.faults.add({ kind: 'delay', seconds: 90, path: '/image/*' })
  let answered = false
  const asked = client.ask('GET', '/image/v2/images').then(answer => {
    answered = true
    return answer.status
  })
  while ((await cloud.faults.show('fault-1')).hits === 0) await new Promise(setImmediate)
  await cloud.clock.advance(89)
  assert.equal(answered, false)
  await cloud.clock.advance(1)
  assert.equal(await asked, 200)
})

test('a fault that makes no sense is refused, with what would', async () => {
  await using cloud = await startCloud()
  const wrong = (fault: object) => assert.rejects(cloud.faults.add(fault as never))
  await assert.rejects(
    cloud.faults.add({ kind: 'drop', operation: 'compute.server.create' }),
    /No operation is called 'compute.server.create'. Did you mean "compute.servers.create"\?/,
  )
  await assert.rejects(cloud.faults.add({ kind: 'stuck' }), /needs to know which work/)
  await wrong({ kind: 'answer' })
  await wrong({ kind: 'delay', operation: 'compute.*' })
  await wrong({ kind: 'stuck', operation: 'compute.*', work: '*' })
  await wrong({ kind: 'no-valid-host', path: '/x' })
  await assert.rejects(cloud.faults.show('fault-9'), /There is no fault fault-9/)
})

test('a reset forgets faults and calls', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.faults.add({ kind: 'answer', status: 500, times: 'every' })
  assert.equal((await client.ask('GET', '/compute/v2.1/servers')).status, 500)
  await cloud.reset()
  assert.deepEqual([await cloud.faults.list(), await cloud.calls.list()], [[], []])
  assert.equal((await client.ask('GET', '/compute/v2.1/servers')).status, 200)
})
