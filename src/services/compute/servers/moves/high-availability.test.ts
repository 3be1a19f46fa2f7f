/** Stories of hosts that fail, and of the servers that come back elsewhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SagaProbe } from '#kernel/saga/run.ts'
import { nextTurn } from '#kernel/turns.ts'
import { hosts } from '../../hosts/store.ts'
import { failingHosts } from '../fixtures/failing-hosts.ts'
import { tiny } from '../fixtures/world.ts'
import { evacuatedSources } from './evacuate.ts'
import { lostHosts, type Watch } from './high-availability.ts'

const second = 1000

type When = (point: Parameters<SagaProbe>[0]) => boolean
type Stage = Awaited<ReturnType<typeof failingHosts>>

/** The failed host returns, and lets go of the marked server. */
async function backAndCleared(s: Stage): Promise<void> {
  await s.addHost('h1')
  for (let round = 0; round < 10 && (await s.openMoves(s.marked.id)).length > 0; round++) {
    await s.pass(10)
    await s.reconcile('compute.host-cleanups')
    await s.reconcile(evacuatedSources.id)
  }
}

/** The host fails in the midst of what an administrator asks of the marked server, at the first point that `when` says; then time passes. */
async function failsDuring(when: When, body: object, otherwise: SagaProbe = () => {}) {
  const failed = Promise.withResolvers<void>()
  let stage: Stage | undefined
  const sagaProbe: SagaProbe = async point => {
    if (!stage || !when(point)) return otherwise(point)
    const s = stage
    stage = undefined
    await s.removeHost('h1')
    failed.resolve()
  }
  const s = await failingHosts(['h1', 'h2', 'h3'], { sagaProbe })
  stage = s
  const { id } = s.marked
  const begun = await s.api(s.administrator, 'POST', `/servers/${id}/action`, body)
  assert.ok(begun.status < 300, JSON.stringify(begun.body))
  await failed.promise
  await s.pass(150)
  await s.env.sagas.idle(id)
  return s
}

test('marked servers of a host that failed come back elsewhere, the others stay; the host that returns lets go of them', async () => {
  await using s = await failingHosts(['h1', 'h2', 'h3'])
  await s.removeHost('h1')
  await s.pass(70)
  assert.deepEqual(await s.at(s.marked.id), ['ACTIVE', 'h1'], 'down for less than a minute')
  await s.pass(30)
  await s.env.sagas.idle()
  const [status, host] = await s.at(s.marked.id)
  assert.equal(status, 'ACTIVE')
  assert.ok(['h2', 'h3'].includes(host))
  const [whatWasOff, its] = await s.at(s.off.id)
  assert.deepEqual([whatWasOff, its === 'h1'], ['SHUTOFF', false])
  assert.deepEqual(await s.at(s.plain.id), ['ACTIVE', 'h1'])
  assert.deepEqual((await s.show(s.demo, s.marked.id)).addresses, s.marked.addresses)

  await backAndCleared(s)
  assert.deepEqual(s.guestHosts(s.marked.id), [host], 'there is one of it')
  assert.deepEqual(s.guestHosts(s.plain.id), ['h1'])
  assert.deepEqual(await s.openMoves(s.marked.id), [])
  assert.deepEqual(Object.keys(await s.allocated(s.marked.id)), [host])
})

/** What may go on with a server whose host fails, and before which step that happens. */
const busy: Record<string, { step: string; body: Record<string, unknown> }> = {
  'compute.servers.rescue': { step: 'boot rescue disk', body: { rescue: {} } },
  'compute.servers.rebuild': { step: 'spawn', body: { rebuild: { imageRef: tiny } } },
  'compute.servers.shelve': { step: 'store disk', body: { shelve: null } },
  'compute.servers.migrate': { step: 'send to h2', body: { migrate: { host: 'h2' } } },
  'compute.servers.live-migration': {
    step: 'migrate to h2',
    body: { 'os-migrateLive': { host: 'h2', block_migration: 'auto' } },
  },
}

for (const [saga, { step, body }] of Object.entries(busy)) {
  test(`a marked server comes back elsewhere when its host fails in the midst of ${saga}, and once`, async () => {
    await using s = await failsDuring(at => at.saga === saga && at.step === step && at.at === 'before', body)
    const { id } = s.marked
    const [status, host] = await s.at(id)
    assert.equal(status, 'ACTIVE')
    assert.ok(['h2', 'h3'].includes(host), host)
    const begunMoves = await s.openMoves(id)
    assert.deepEqual(
      begunMoves.map(({ type, status }) => [type, status]),
      [['evacuation', 'done']],
    )

    await backAndCleared(s)
    assert.deepEqual([s.guestHosts(id), s.asides(id)], [[host], []])
    assert.deepEqual(Object.keys(await s.allocated(id)), [host])
  })
}

test('a guest that was aside for a move when its host failed is back with its host, when no other host takes the server', async () => {
  const sent: When = ({ saga, step, at }) =>
    at === 'before' && saga === 'compute.servers.migrate' && step === 'send to h2'
  await using s = await failsDuring(sent, { migrate: { host: 'h2' } }, ({ saga, step, at }) => {
    if (at === 'before' && saga === 'compute.servers.evacuate' && step.startsWith('spawn')) throw new Error('injected')
  })
  const { id } = s.marked
  assert.deepEqual(await s.at(id), ['ACTIVE', 'h1'])
  assert.deepEqual(s.asides(id), ['h1'])
  await s.addHost('h1')
  await s.pass(10)
  assert.deepEqual(await s.at(id), ['SHUTOFF', 'h1'])
  assert.deepEqual([s.guestHosts(id), s.asides(id)], [['h1'], []])
  await s.api(s.administrator, 'POST', `/servers/${id}/action`, { 'os-start': null })
  await s.env.sagas.idle(id)
  assert.deepEqual(await s.at(id), ['ACTIVE', 'h1'])
})

test('a guest whose NIC was taken when its host failed gets it back with its host, when no other host takes the server', async () => {
  let stage: Stage | undefined
  const sagaProbe: SagaProbe = async ({ saga, step, at }) => {
    if (at === 'before' && saga === 'compute.servers.evacuate' && step.startsWith('spawn')) throw new Error('injected')
    if (at !== 'acted' || saga !== 'compute.servers.detach_interface') return
    await stage!.removeHost('h1')
    throw new Error('its answer is lost')
  }
  await using s = await failingHosts(['h1', 'h2', 'h3'], { sagaProbe })
  stage = s
  const { id } = s.marked
  const nics = () => s.world.guests.h1!.get(id)!.nics.map(nic => nic.port_id)
  const before = nics()
  const [port] = before
  assert.equal((await s.api(s.administrator, 'DELETE', `/servers/${id}/os-interface/${port}`)).status, 202)
  await s.pass(150)
  assert.deepEqual(await s.at(id), ['ACTIVE', 'h1'])
  assert.deepEqual(nics(), [])
  await s.addHost('h1')
  await s.pass(60)
  assert.deepEqual(nics(), before)
  assert.deepEqual(await s.at(id), ['ACTIVE', 'h1'])
})

test('a host that is said to be down and answers keeps its servers', async () => {
  await using s = await failingHosts(['h1', 'h2'])
  await s.forceDown('h1')
  await s.pass(200)
  await s.env.sagas.idle()
  assert.deepEqual(await s.at(s.marked.id), ['ACTIVE', 'h1'])
  assert.deepEqual(s.guestHosts(s.marked.id), ['h1'])
})

test('when most hosts are away at once nothing is evacuated', async () => {
  await using s = await failingHosts(['h1', 'h2', 'h3'])
  await s.removeHost('h1')
  await s.removeHost('h2')
  await s.pass(200)
  await s.env.sagas.idle()
  assert.deepEqual(await s.at(s.marked.id), ['ACTIVE', 'h1'])
})

test('what was not seen does not count: after a pause of the control side the time begins anew', () => {
  const watch: Watch = { lookedAt: 0, downSince: new Map() }
  const lost = (at: number, ...down: string[]) =>
    lostHosts(
      watch,
      down.map(name => ({ name })),
      { now: at * second, afterMs: 20 * second },
    ).map(host => host.name)
  assert.deepEqual([lost(100, 'h1'), lost(110, 'h1', 'h2'), lost(120, 'h1', 'h2')], [[], [], ['h1']])
  assert.deepEqual([lost(125, 'h2'), lost(130, 'h1', 'h2')], [[], ['h2']], 'it was up meanwhile')
  assert.deepEqual([lost(200, 'h1', 'h2'), lost(220, 'h2')], [[], ['h2']])
})

test('an evacuation waits for nothing that goes on at the failed host: who attaches an interface there is told', async () => {
  await using s = await failingHosts(['h1', 'h2'])
  const { id } = s.marked
  s.drivers.h1!.inject({ method: 'attachNic', delayMs: 50 * second })
  const attached = s.api(s.demo, 'POST', `/servers/${id}/os-interface`, { interfaceAttachment: {} })
  await s.clock.advance(second)
  await s.forceDown('h1')
  assert.equal((await s.api(s.administrator, 'POST', `/servers/${id}/action`, { evacuate: {} })).status, 200)
  await s.pass(20)
  assert.equal((await s.at(id))[1], 'h2')
  const { status, body } = await attached
  assert.equal(status, 409)
  assert.match(JSON.stringify(body), /was taken from its host meanwhile/)
})

test('a second evacuation takes the place of one that goes on', async () => {
  await using s = await failingHosts(['h1', 'h2'])
  const { id } = s.marked
  await s.forceDown('h1')
  s.drivers.h2!.inject({ method: 'spawn', delayMs: 50 * second })
  const evacuate = async () =>
    assert.equal((await s.api(s.administrator, 'POST', `/servers/${id}/action`, { evacuate: {} })).status, 200)
  await evacuate()
  await s.clock.advance(second)
  await evacuate()
  await s.clock.advance(second)
  await s.env.sagas.idle()
  assert.equal((await s.at(id))[1], 'h2')
  assert.deepEqual(s.guestHosts(id), ['h1', 'h2'], 'until the host is back')
})

test('a host that is back before its server is built elsewhere keeps it', async () => {
  let back = async () => {}
  const probe: SagaProbe = ({ saga, step, at }) =>
    saga === 'compute.servers.evacuate' && at === 'before' && step.startsWith('spawn') ? back() : undefined
  await using s = await failingHosts(['h1', 'h2', 'h3'], { sagaProbe: probe })
  await s.removeHost('h1')
  let came = false
  back = async () => {
    if (came) return
    came = true
    const lastSeen = async () => (await hosts.find(s.ctx().db, { name: 'h1' }))!.last_seen
    const before = await lastSeen()
    await s.addHost('h1')
    // Back it is when it is heard of.
    while ((await lastSeen()) === before) await nextTurn()
  }
  await s.pass(120)
  await s.env.sagas.idle()
  assert.ok(came)
  assert.deepEqual(
    [await s.at(s.marked.id), await s.at(s.off.id)],
    [
      ['ACTIVE', 'h1'],
      ['SHUTOFF', 'h1'],
    ],
  )
  assert.deepEqual(s.guestHosts(s.marked.id), ['h1'])
  assert.deepEqual(Object.keys(await s.allocated(s.marked.id)), ['h1'])
  assert.deepEqual(await s.openMoves(s.marked.id), [])
})
