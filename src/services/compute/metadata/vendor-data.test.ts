/** What the operator's file and web services tell guests. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ServerCloud, serverCloud } from '../servers/fixtures/server-cloud.ts'

interface Heard {
  path: string
  headers: IncomingHttpHeaders
  body: string
}

/** A web service; `answer` may keep silent by returning undefined. */
async function service(answer: (heard: Heard) => { status: number; headers?: object; body: string } | undefined) {
  const heard: Heard[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const one = { path: request.url ?? '', headers: request.headers, body }
    heard.push(one)
    const answered = answer(one)
    if (answered) response.writeHead(answered.status, { ...answered.headers }).end(answered.body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    heard,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function vendorData(cloud: ServerCloud, server_id: string, version = 'latest') {
  const path = `/openstack/${version}/vendor_data2.json`
  const answer = await cloud.env.services.compute.metadata(cloud.ctx(), { server_id, path, method: 'GET', body: '' })
  return { status: answer.status, told: answer.status === 200 ? JSON.parse(String(answer.body)) : undefined }
}

const set = (...settings: string[]) => settings.map(setting => `compute.vendordata.${setting}`)

test('targets are asked about a server, and it reads their answers on its drive and from the service', async () => {
  using target = await service(() => ({ status: 200, body: '{"join": "the domain"}' }))
  await using cloud = await serverCloud({ set: set(`targets=["ad@${target.url}/ad"]`) })
  const demo = await cloud.project('p1')
  const user_data = Buffer.from('#!/bin/sh\n').toString('base64')
  const server = await cloud.boot(demo, { name: 'web', user_data, metadata: { role: 'front' }, config_drive: true })
  const drive = cloud.drivers.h1!.guests.get(server.id)!.spec.config_drive!
  const expected = { static: {}, ad: { join: 'the domain' } }
  assert.deepEqual(JSON.parse(String(drive['openstack/latest/vendor_data2.json'])), expected)
  assert.equal(target.heard.length, 1, 'once for all versions on the drive')

  assert.deepEqual((await vendorData(cloud, server.id)).told, expected)
  assert.deepEqual((await vendorData(cloud, server.id, '2018-08-27')).told, expected)
  assert.equal(target.heard.length, 2, 'once for what is asked soon after')
  const { path, headers, body } = target.heard[1]!
  assert.deepEqual([path, headers['content-type'], headers['x-auth-token']], ['/ad', 'application/json', undefined])
  assert.deepEqual(JSON.parse(body), {
    'project-id': demo.id,
    'instance-id': server.id,
    'image-id': server.image.id,
    'user-data': user_data,
    hostname: 'web',
    metadata: { role: 'front' },
    'boot-roles': 'member,reader',
  })
})

test('the file is for all guests', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-vendor-'))
  const file = join(dir, 'vendor.json')
  writeFileSync(file, '{"ntp": "10.0.0.1"}')
  await using cloud = await serverCloud({ set: set(`file=${file}`) })
  const server = await cloud.boot(await cloud.project('p1'))
  assert.deepEqual((await vendorData(cloud, server.id)).told, { static: { ntp: '10.0.0.1' } })
  const path = '/openstack/latest/vendor_data.json'
  const asked = { server_id: server.id, path, method: 'GET', body: '' }
  const answer = await cloud.env.services.compute.metadata(cloud.ctx(), asked)
  assert.equal(String(answer.body), '{"ntp":"10.0.0.1"}')
  rmSync(dir, { recursive: true })
})

test('a target that fails, talks nonsense or keeps silent tells nothing, and the others are heard', async () => {
  using good = await service(() => ({ status: 201, body: '' }))
  using broken = await service(() => ({ status: 500, body: '{"no": 1}' }))
  using nonsense = await service(() => ({ status: 200, body: 'hello' }))
  using silent = await service(() => undefined)
  const targets = Object.entries({ good, broken, nonsense, silent }).map(([name, { url }]) => `${name}@${url}`)
  await using cloud = await serverCloud({ set: set(`targets=${JSON.stringify(targets)}`, 'timeout_seconds=1') })
  const server = await cloud.boot(await cloud.project('p1'))
  const { told } = await vendorData(cloud, server.id)
  assert.deepEqual(told, { static: {}, good: {}, broken: {}, nonsense: {}, silent: {} })
})

test('where failures are fatal the guest is told so, and a server with a config drive is not built', async () => {
  using broken = await service(() => ({ status: 503, body: '' }))
  await using cloud = await serverCloud({ set: set(`targets=["ad@${broken.url}"]`, 'failure_fatal=true') })
  const demo = await cloud.project('p1')
  const plain = await cloud.boot(demo)
  assert.equal(plain.status, 'ACTIVE')
  assert.equal((await vendorData(cloud, plain.id)).status, 500)
  const driven = await cloud.boot(demo, { config_drive: true })
  assert.equal(driven.status, 'ERROR')
  assert.match(driven.fault.message, /vendor data/)
})

test('targets know the cloud by the token of its account, which is got once', async () => {
  using target = await service(() => ({ status: 200, body: '{}' }))
  const expires_at = '2126-01-01T00:00:00.000000Z'
  using identity = await service(({ body }) => {
    const { user } = JSON.parse(body).auth.identity.password
    if (user.password !== 'secret-of-nova') return { status: 401, body: '' }
    const headers = { 'x-subject-token': 'a-token' }
    return { status: 201, headers, body: JSON.stringify({ token: { expires_at } }) }
  })
  const account = ['auth.username=nova', 'auth.password=secret-of-nova', `auth.url=${identity.url}`]
  await using cloud = await serverCloud({ set: set(`targets=["ad@${target.url}"]`, ...account) })
  const demo = await cloud.project('p1')
  for (const name of ['a', 'b']) await vendorData(cloud, (await cloud.boot(demo, { name })).id)
  assert.deepEqual(
    target.heard.map(({ headers }) => headers['x-auth-token']),
    ['a-token', 'a-token'],
  )
  assert.equal(identity.heard.length, 1)
  assert.equal(identity.heard[0]!.path, '/v3/auth/tokens')
})
