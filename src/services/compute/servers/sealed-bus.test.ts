/** What hosts are told over NATS is for those who have the cloud's key, whoever else listens there. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, nkeys } from '@nats-io/transport-node'
import { natsBinary, startNats, stopNats } from '#kernel/bus/fixtures/nats-server.ts'
import { natsBus } from '#kernel/bus/nats.ts'
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld } from './fixtures/world.ts'

const skip = natsBinary ? false : 'needs nats-server'
const key = 'the-key-of-this-cloud-thirty-two-characters-and-more'

/** A NATS server, with whatever is said on it. */
async function stage() {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-sealed-'))
  const { child, port } = await startNats(folder)
  const servers = `127.0.0.1:${port}`
  const listener = await connect({ servers })
  let heard = ''
  listener.subscribe('>', {
    callback(_error, message) {
      heard += Buffer.from(message.data).toString('latin1')
    },
  })
  await listener.flush()
  return {
    servers,
    /** Everything until now. */
    async heard() {
      await listener.flush()
      return heard
    },
    async [Symbol.asyncDispose]() {
      await listener.close()
      await stopNats(child)
      rmSync(folder, { recursive: true })
    },
  }
}

const secrets = {
  user_data: Buffer.from('#!/bin/sh\n# a-token-for-first-boot').toString('base64'),
  adminPass: 'first-password',
  second: 'second-password',
}

for (const sealed of [true, false])
  test(`a listener reads ${sealed ? 'no secret of a server where messages are sealed' : 'all of them where they are not'}`, {
    skip,
  }, async () => {
    await using nats = await stage()
    const world = await newWorld()
    const bus = await natsBus({ servers: nats.servers, ...(sealed && { key }) }, world.clock, silentLog())
    await using cloud = await serverCloud({ world, bus })
    const demo = await cloud.project('p1')
    const { user_data, adminPass, second } = secrets
    const server = await cloud.boot(demo, { user_data, adminPass, config_drive: true })
    assert.equal(server.status, 'ACTIVE')
    const changed = await cloud.api(demo, 'POST', `/servers/${server.id}/action`, {
      changePassword: { adminPass: second },
    })
    assert.equal(changed.status, 202)
    const heard = await nats.heard()
    assert.ok(heard.includes('compute.instance.create.end'), 'notifications are for all')
    const wanted = [adminPass, second, 'a-token-for-first-boot', user_data]
    const read = wanted.filter(
      text => heard.includes(text) || heard.includes(Buffer.from(text).toString('base64').slice(0, -4)),
    )
    assert.equal(read.length > 0, !sealed, read.join())
  })

test('who has no key, or another one, is not answered and not obeyed', { skip }, async () => {
  await using nats = await stage()
  const open = (own?: string) =>
    natsBus({ servers: nats.servers, ...(own && { key: own }) }, systemClock(), silentLog())
  await using host = await open(key)
  let done = 0
  host.serve('host.a.compute', () => ++done)
  await host.flush()
  for (const own of [undefined, 'another-key-of-thirty-two-characters-or-more']) {
    await using stranger = await open(own)
    await assert.rejects(stranger.call('host.a.compute', {}, { timeoutMs: 200 }), /within 200 ms/)
  }
  assert.equal(done, 0)
})

test('the server knows a process by its nkey, and the connection is TLS', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-nats-tls-'))
  const path = (name: string) => join(folder, name)
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
      ...['-keyout', path('key.pem'), '-out', path('cert.pem'), '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost'],
    ],
    { stdio: 'pipe' },
  )
  const user = nkeys.createUser()
  const nkey = new TextDecoder().decode(user.getSeed())
  const settings = `tls { cert_file: "${path('cert.pem')}", key_file: "${path('key.pem')}" }
authorization { users = [ { nkey: ${user.getPublicKey()} } ] }
`
  const { child, port } = await startNats(folder, -1, settings)
  try {
    const options = { servers: `localhost:${port}`, tls: { caFile: path('cert.pem') }, key }
    await using bus = await natsBus({ ...options, nkey: `${nkey}\n` }, systemClock(), silentLog())
    bus.serve('echo', payload => payload)
    await bus.flush()
    assert.equal(await bus.call('echo', 1, { timeoutMs: 5000 }), 1)
    await assert.rejects(natsBus(options, systemClock(), silentLog()), /authorization/i)
  } finally {
    await stopNats(child)
    rmSync(folder, { recursive: true })
  }
})
