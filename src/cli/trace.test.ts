/** What the commands say of a request and of a server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../test/engines.ts'
import { serverCloud } from '../services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../services/compute/servers/fixtures/world.ts'
import { parseCommand } from './options.ts'
import { whyLines } from './server-why.ts'
import { timelineOf } from './trace.ts'

onEachEngine('a request is told with its sagas, their steps and its events', async database => {
  await using cloud = await serverCloud({ world: await newWorld(undefined, database) })
  const demo = await cloud.project('p1')
  const made = await cloud.api<{ server: { id: string } }>(demo, 'POST', '/servers', { server: cloud.newServer() })
  await cloud.env.sagas.idle()
  const { id } = made.body.server
  const timeline = await timelineOf(database.root, made.headers['x-openstack-request-id']!)
  const texts = timeline.map(moment => moment.text)
  assert.ok(texts.includes(`compute.servers.create of ${id} begins for user ${demo.user_id} of project ${demo.id}`))
  assert.ok(
    texts.some(text => /^ {2}spawn.* \(\d+ ms\)$/.test(text)),
    texts.join('\n'),
  )
  assert.ok(texts.includes(`event compute.instance.create.end of ${id}`))
  assert.ok(texts.some(text => /^compute\.servers\.create done after \d+ ms$/.test(text)))
  assert.deepEqual(
    timeline.map(moment => moment.at),
    timeline.map(moment => moment.at).toSorted(),
  )
  assert.deepEqual(await timelineOf(database.root, 'req-unknown'), [])
})

test('a server without a host is explained host by host', () => {
  const asked = { flavor: 'm1.huge', resources: { VCPU: 64 }, required_traits: [], forbidden_traits: [] }
  const explanation = {
    at: '2026-01-01T00:00:00.000Z',
    asked: { ...asked, availability_zone: 'east', host: null, scheduler_hints: {} },
    hosts: [
      { host: 'h1', rule: 'VCPU', asked: '64', had: '8' },
      { host: 'host-2', rule: 'AvailabilityZoneFilter', asked: 'east', had: 'nova' },
    ],
  }
  const server = { id: 'x', name: 'vm', status: 'ERROR', 'OS-EXT-SRV-ATTR:host': null, fault: { message: 'No host.' } }
  const actions = [{ action: 'create', request_id: 'req-1', start_time: '2026-01-01T00:00:00.5', message: 'Error' }]
  assert.deepEqual(whyLines({ server, explanation, actions }), [
    'vm (x) is ERROR on no host.',
    '  No host.',
    '',
    'At 2026-01-01T00:00:00.000Z no host was found for flavor m1.huge: 64 VCPU, zone east.',
    '  h1      VCPU: asked 64, had 8',
    '  host-2  AvailabilityZoneFilter: asked east, had nova',
    '',
    'What was done to it, the latest first (nephos trace REQUEST_ID tells more):',
    '  2026-01-01T00:00:00  create           req-1  Error',
  ])
})

test('both commands take what they are about, and where the cloud is', () => {
  assert.deepEqual(parseCommand(['trace', 'req-1', '--data', '/x']), {
    name: 'trace',
    options: { data: '/x', request: 'req-1' },
  })
  assert.deepEqual(parseCommand(['server', 'why', '--data', '/x', 'id']), {
    name: 'server why',
    options: { data: '/x', server: 'id' },
  })
  assert.throws(() => parseCommand(['trace']), /say which: nephos trace REQUEST_ID/)
})
