/** Stories of roots that grow to the flavor's disk by the agent in the guest: after a build, a resize and a rebuild, and through crashes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../../test/engines.ts'
import { survivesCrashes } from '../fixtures/guest-work-crashes.ts'
import { type ServerCloudOptions, serverCloud, setProperties } from '../fixtures/server-cloud.ts'
import { newWorld, nothingHeld, tiny } from '../fixtures/world.ts'

interface Action {
  action: string
  message: string | null
  request_id: string
  events: { event: string; result: string; details: string | null }[]
}

const auto = { 'OS-DCF:diskConfig': 'AUTO', flavorRef: '2' }
const agent = { hw_qemu_guest_agent: 'yes' }

async function stage(options: ServerCloudOptions = {}, properties: Record<string, string> = agent) {
  const cloud = await serverCloud(options)
  await setProperties(cloud, properties)
  const demo = await cloud.project('p1')
  const guest = (id: string) => Object.values(cloud.drivers).flatMap(driver => driver.guests.get(id) ?? [])[0]!
  return Object.assign(cloud, {
    demo,
    guest,
    /** Gibibytes of its root, as the guest sees them; undefined when nobody has asked. */
    root: (id: string) => guest(id).software?.root_gb,
    /** Programs that grow something, with their arguments. */
    grew: (id: string) => (guest(id).software?.ran ?? []).filter(([path]) => ['growpart', 'resize2fs'].includes(path!)),
    async run() {
      await cloud.reconcile('compute.guest_works')
      await cloud.env.sagas.idle()
    },
    async act(id: string, body: object) {
      const answer = await cloud.api(demo, 'POST', `/servers/${id}/action`, body)
      await cloud.env.sagas.idle()
      return answer
    },
    /** The growths of a server, the newest first. */
    async log(id: string): Promise<Action[]> {
      const path = `/servers/${id}/os-instance-actions`
      const all = (await cloud.api<{ instanceActions: Action[] }>(demo, 'GET', path)).body.instanceActions
      const growths = all.filter(({ action }) => action === 'grow_disk')
      const shown = growths.map(({ request_id }) =>
        cloud.api<{ instanceAction: Action }>(demo, 'GET', `${path}/${request_id}`),
      )
      return (await Promise.all(shown)).map(({ body }) => body.instanceAction)
    },
  })
}

onEachEngine('a server of a larger flavor has all of its disk, an event of its actions', async database => {
  await using s = await stage({ world: await newWorld(undefined, database) })
  const { id, ...shown } = await s.boot(s.demo, auto)
  assert.equal(shown['OS-DCF:diskConfig'], 'AUTO')
  await s.run()
  assert.equal(s.root(id), 20)
  assert.deepEqual(s.grew(id), [
    ['growpart', '/dev/vda', '1'],
    ['resize2fs', '/dev/vda1'],
  ])
  const [{ message, events }] = (await s.log(id)) as [Action]
  assert.equal(message, null)
  assert.deepEqual(events.map(({ event, result }) => [event, result]).reverse(), [
    ['wait for the guest', 'Success'],
    ['grow the root', 'Success'],
    ['settle', 'Success'],
  ])
  await s.run()
  assert.equal((await s.log(id)).length, 1, 'once is enough')
  await s.remove(s.demo, id)
  assert.deepEqual(await s.held(), nothingHeld)
})

test('after a resize it grows again, in one that was off when it is started', async () => {
  await using s = await stage({ set: ['compute.allow_resize_to_same_host=true'] })
  const { id } = await s.boot(s.demo, { ...auto, flavorRef: '1' })
  await s.run()
  await s.act(id, { resize: { flavorRef: '2' } })
  await s.run()
  assert.deepEqual([(await s.show(s.demo, id)).status, s.root(id)], ['VERIFY_RESIZE', 20])
  await s.act(id, { confirmResize: null })

  await s.act(id, { 'os-stop': null })
  await s.act(id, { resize: { flavorRef: '3' } })
  await s.run()
  assert.equal(s.root(id), 20, 'nobody is there to ask')
  await s.act(id, { confirmResize: null })
  await s.act(id, { 'os-start': null })
  await s.run()
  assert.equal(s.root(id), 40)
  assert.equal((await s.log(id)).length, 3)
})

test('a rebuilt server grows again; one that is to be left alone does not', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo, auto)
  await s.run()
  await s.act(id, { rebuild: { imageRef: tiny } })
  assert.equal(s.root(id), undefined)
  await s.run()
  assert.equal(s.root(id), 20)
  await s.act(id, { rebuild: { imageRef: tiny, 'OS-DCF:diskConfig': 'MANUAL' } })
  await s.run()
  assert.equal(s.root(id), undefined)
})

test('what is asked for with a server comes before what its image says, unless that refuses it', async () => {
  const booted = async (properties: Record<string, string>, patch: object) => {
    await using s = await stage({}, { ...agent, ...properties })
    const { id, ...shown } = await s.boot(s.demo, { flavorRef: '2', ...patch })
    await s.run()
    return [shown['OS-DCF:diskConfig'], s.root(id)]
  }
  assert.deepEqual(await booted({}, {}), ['MANUAL', undefined])
  assert.deepEqual(await booted({ auto_disk_config: 'true' }, {}), ['AUTO', 20])
  assert.deepEqual(await booted({ auto_disk_config: 'true' }, { 'OS-DCF:diskConfig': 'MANUAL' }), ['MANUAL', undefined])
  assert.deepEqual(await booted({ hw_qemu_guest_agent: 'no' }, auto), ['AUTO', undefined])
  assert.deepEqual(await booted({ os_type: 'windows' }, auto), ['AUTO', undefined])
  await using s = await stage({}, { ...agent, auto_disk_config: 'disabled' })
  const refused = await s.api(s.demo, 'POST', '/servers', { server: s.newServer(auto) })
  assert.equal(refused.status, 400)
  assert.match(JSON.stringify(refused.body), /automatic disk resize disabled/)
  const { id } = await s.boot(s.demo, { flavorRef: '1' })
  assert.equal((await s.act(id, { resize: { flavorRef: '2', 'OS-DCF:diskConfig': 'AUTO' } })).status, 400)
  assert.equal((await s.act(id, { rebuild: { imageRef: tiny, 'OS-DCF:diskConfig': 'AUTO' } })).status, 400)
})

test('why a root could not grow stands in the list of actions, and the server is well', async () => {
  const clock = virtualClock()
  await using s = await stage({ world: await newWorld(clock) }, agent)
  const { id } = await s.boot(s.demo, auto)
  const away = Promise.withResolvers<void>()
  const error = 'The agent of the guest went away.'
  s.drivers.h1!.inject({ method: 'runInGuest', call: 2, error, hit: away.resolve })
  const ran = s.run()
  await away.promise
  await clock.advance(2_000)
  await ran
  assert.equal(s.root(id), 20, 'an agent that went away is asked again')
  const other = await s.boot(s.demo, auto)
  s.guest(other.id).software = { ran: [], installed: {}, files: {}, root_gb: Number.NaN, agent_version: '1.0' }
  await s.run()
  const [{ message, events }] = (await s.log(other.id)) as [Action]
  assert.equal(message, 'Error')
  assert.match(events.find(({ event }) => event === 'grow the root')!.details!, /^df/)
  const { status, fault } = await s.show(s.demo, other.id)
  assert.deepEqual([status, fault], ['ACTIVE', undefined])
})

test('a kill at every step of a growth is taken up by the next process; a delete wins at each', async () => {
  await survivesCrashes({
    saga: 'compute.servers.grow_disk',
    stage,
    run: s => s.run(),
    wish: auto,
    done: (s, id, where) => assert.equal(s.root(id), 20, where),
  })
})
