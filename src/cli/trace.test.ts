/** What the commands say of a request and of a server. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pino } from 'pino'
import type { Database } from '#kernel/db/database.ts'
import { eventsOfRequest } from '#kernel/events/events.ts'
import { type RequestRecord, recordOf } from '#kernel/request-record.ts'
import { onEachEngine } from '../../test/engines.ts'
import { serverCloud } from '../services/compute/servers/fixtures/server-cloud.ts'
import { volumeCloud } from '../services/compute/servers/fixtures/volume-cloud.ts'
import { newWorld, tiny } from '../services/compute/servers/fixtures/world.ts'
import { parseCommand } from './options.ts'
import { whyLines } from './server-why.ts'
import { logMoments, timelineOf } from './trace.ts'

const told = async ({ root }: Database, id: string) => timelineOf(await recordOf(root, id), id)

onEachEngine('a request is told with its sagas, their steps and its events', async database => {
  await using cloud = await serverCloud({ world: await newWorld(undefined, database) })
  const demo = await cloud.project('p1')
  const made = await cloud.api<{ server: { id: string } }>(demo, 'POST', '/servers', { server: cloud.newServer() })
  await cloud.env.sagas.idle()
  const { id } = made.body.server
  const timeline = await told(database, made.headers['x-openstack-request-id']!)
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
  assert.deepEqual(await told(database, 'req-unknown'), [])
})

onEachEngine(
  'a build that failed is told with the step that failed and each thing given back (S-037)',
  async database => {
    const fails = { step: 'wire ports on h1', message: 'the bridge is gone' }
    await using cloud = await volumeCloud(database, {
      sagaProbe({ step, at }) {
        if (step === fails.step && at === 'acted') throw new Error(fails.message)
      },
    })
    const demo = cloud.member
    const root = { boot_index: 0, uuid: tiny, source_type: 'image', destination_type: 'local' }
    const data = { boot_index: -1, uuid: await cloud.volume(), source_type: 'volume', destination_type: 'volume' }
    const server = cloud.newServer({ block_device_mapping_v2: [root, data] })
    const made = await cloud.api<{ server: { id: string } }>(demo, 'POST', '/servers', { server })
    await cloud.env.sagas.idle()
    const { id } = made.body.server
    const request = made.headers['x-openstack-request-id']!
    const texts = (await told(database, request)).map(moment => moment.text.replace(/ \(\d+ ms\)$| after \d+ ms/, ''))
    assert.deepEqual(
      texts.filter(text => !text.startsWith('event')),
      [
        `compute.servers.create of ${id} begins for user ${demo.user_id} of project ${demo.id}`,
        ...['  claim volumes', '  claim ports', '  claim room'],
        ...['  bind ports to h1', `  wire ports on h1 failed: ${fails.message}`],
        '  undo bind ports to h1',
        ...['  undo claim room', '  undo claim ports', '  undo claim volumes'],
        `compute.servers.create failed: ${fails.message} (in "wire ports on h1")`,
      ],
    )
    const held = await cloud.held()
    assert.deepEqual([held.allocations, held.ports, held.addresses, held.attachments], [0, 0, 0, 0])

    interface Shown {
      instanceAction: { events: { event: string; result: string; details: string | null; traceback?: string | null }[] }
    }
    const eventsFor = async (who: { token: string }) =>
      (await cloud.api<Shown>(who, 'GET', `/servers/${id}/os-instance-actions/${request}`)).body.instanceAction.events
    const shown = await eventsFor(await cloud.admin())
    assert.deepEqual(
      shown.map(({ event, result, details }) => `${event}: ${result}${details ? `, ${details}` : ''}`),
      [
        ...['undo claim volumes: Success', 'undo claim ports: Success', 'undo claim room: Success'],
        'undo bind ports to h1: Success',
        `wire ports on h1: Error, ${fails.message}`,
        ...['bind ports to h1: Success', 'claim room: Success', 'claim ports: Success', 'claim volumes: Success'],
      ],
    )
    const wired = shown.find(({ event }) => event === fails.step)
    assert.match(wired?.traceback ?? '', /Error: the bridge is gone/)
    const own = (await eventsFor(demo)).find(({ event }) => event === fails.step)
    assert.deepEqual([own?.result, own?.details, own?.traceback], ['Error', null, undefined])
  },
)

test('who may read all events is told the same by the API, and nobody else', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const made = await cloud.api(demo, 'POST', '/servers', { server: cloud.newServer({ name: 'secret-name' }) })
  await cloud.env.sagas.idle()
  const request = made.headers['x-openstack-request-id']!
  const ask = (token: string, id: string) =>
    cloud.request<{ request: RequestRecord }>('GET', `/event/v1/requests/${id}`, { token })
  const admin = await cloud.login('admin')
  const { status, body } = await ask(admin, request)
  assert.equal(status, 200)
  assert.deepEqual(timelineOf(body.request, request), await told(cloud.env.database, request))
  assert.doesNotMatch(JSON.stringify(body), /secret-name/)
  assert.deepEqual([(await ask(demo.token, request)).status, (await ask(admin, 'req-none')).status], [403, 404])
})

const ours = 'req-11111111-2222-4333-8444-555555555555'

onEachEngine('what a caller says of its requests goes with all that they begin (S-271)', async database => {
  const lines: string[] = []
  const log = pino({ base: null }, { write: (text: string) => void lines.push(text) })
  await using cloud = await serverCloud({ world: await newWorld(undefined, database), log })
  const demo = await cloud.project('p1')
  const headers = { 'x-openstack-request-id': ours, 'x-nephos-client-tag': 'nightly/42' }
  const asked = { token: demo.token, headers, body: { server: cloud.newServer() } }
  const made = await cloud.request<{ server: { id: string } }>('POST', '/compute/v2.1/servers', asked)
  await cloud.env.sagas.idle()
  const own = made.headers['x-openstack-request-id']!
  const { id } = made.body.server
  const facts = { request_id: own, global_request_id: ours, client_tag: 'nightly/42' }

  const events = await eventsOfRequest(database.root, ours)
  assert.ok(events.some(event => event.type === 'compute.instance.create.end'))
  for (const event of events) assert.partialDeepStrictEqual(event, facts)
  const [spawned] = lines.map(line => JSON.parse(line)).filter(line => line.method === 'spawn')
  assert.partialDeepStrictEqual(spawned, facts)

  const timeline = (await told(database, ours)).map(moment => moment.text)
  assert.equal(timeline[0], `request ${own}: part of ${ours}, client tag nightly/42`)
  assert.ok(timeline.includes(`[${own.slice(0, 12)}] event compute.instance.create.end of ${id}`))
  assert.equal((await told(database, own)).length, timeline.length)

  const answer = await cloud.request<{ events: Record<string, unknown>[] }>(
    'GET',
    '/event/v1/events?types=compute.instance.create.end&format=versioned',
    { token: await cloud.login('admin') },
  )
  assert.partialDeepStrictEqual(answer.body.events[0], {
    _context_request_id: own,
    _context_global_request_id: ours,
    _context_client_tag: 'nightly/42',
  })
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

test("a request's lines of the log are told in their places, those of others are not", async () => {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-trace-'))
  try {
    const file = join(dir, 'nephos.log')
    const line = (request_id: string, more: object) =>
      JSON.stringify({ level: 30, time: 1_767_225_600_000, request_id, ...more })
    const lines = [
      line('req-1', { operation: 'compute.servers.pause', status: 202, msg: 'request answered' }),
      line('req-2', { msg: 'of another, which names req-1' }),
      line('req-1', { host: 'h1', method: 'pause', ms: 3, msg: 'host: pause done' }),
      '{"request_id":"req-1","half',
    ]
    writeFileSync(file, lines.join('\n'))
    assert.deepEqual(await logMoments(file, 'req-1'), [
      { at: '2026-01-01T00:00:00.000Z', text: 'log: request answered (operation=compute.servers.pause, status=202)' },
      { at: '2026-01-01T00:00:00.000Z', text: 'log: host: pause done (host=h1, method=pause, ms=3)' },
    ])
    assert.deepEqual(await logMoments(join(dir, 'none'), 'req-1'), [])
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('what a request did is in the log: the answer, and the work of the host, never what it was given', async () => {
  const lines: string[] = []
  const log = pino({ base: null }, { write: (text: string) => void lines.push(text) })
  await using cloud = await serverCloud({ log })
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const body = { changePassword: { adminPass: 'a word that nobody may read' } }
  const { headers } = await cloud.api(demo, 'POST', `/servers/${id}/action`, body)
  await cloud.env.sagas.idle()
  const own = lines
    .map(text => JSON.parse(text))
    .filter(entry => entry.request_id === headers['x-openstack-request-id'])
  assert.deepEqual(own.map(entry => entry.operation ?? entry.method).sort(), [
    'changePassword',
    'compute.servers.change_password',
  ])
  assert.ok(!lines.join('').includes('nobody may read'))
})
