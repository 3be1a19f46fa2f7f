/** Whatever happens at whichever step of whatever is done to a server: it ends, in the right state, and nothing is left behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProbePoint, SagaProbe } from '#kernel/saga/run.ts'
import type { TestProject } from '../../../../test/harness.ts'
import { type ServerCloud, serverCloud } from './fixtures/server-cloud.ts'
import { type Held, newWorld, nothingHeld } from './fixtures/world.ts'

interface Flow {
  saga: string
  /** What the server is before; ACTIVE when absent, and not yet there for `create`. */
  prepare?: Record<string, unknown>[]
  begin(cloud: ServerCloud, who: TestProject, id: string): Promise<unknown>
  /** The status in the end, when nothing fails and when something does. */
  ends: string
  fails: string
  /** Its steps have undos, which a kill may hit too. */
  undone?: boolean
}

const act =
  (body: Record<string, unknown>): Flow['begin'] =>
  (cloud, who, id) =>
    cloud.api(who, 'POST', `/servers/${id}/action`, body)

const attach: Flow['begin'] = (cloud, who, id) =>
  cloud.api(who, 'POST', `/servers/${id}/os-interface`, { interfaceAttachment: { net_id: cloud.network } })

const detach: Flow['begin'] = async (cloud, who, id) => {
  const path = `/servers/${id}/os-interface`
  const { body } = await cloud.api<{ interfaceAttachments: { port_id: string }[] }>(who, 'GET', path)
  await cloud.api(who, 'DELETE', `${path}/${body.interfaceAttachments[0]!.port_id}`)
}

/** Of the actions that have one step, some. */
const flows: Record<string, Flow> = {
  create: { saga: 'create', begin: async () => {}, ends: 'ACTIVE', fails: 'ERROR', undone: true },
  delete: {
    saga: 'delete',
    begin: (cloud, who, id) => cloud.api(who, 'DELETE', `/servers/${id}`),
    ends: 'gone',
    fails: 'ERROR',
  },
  stop: { saga: 'stop', begin: act({ 'os-stop': null }), ends: 'SHUTOFF', fails: 'ACTIVE' },
  resume: {
    saga: 'resume',
    prepare: [{ suspend: null }],
    begin: act({ resume: null }),
    ends: 'ACTIVE',
    fails: 'SUSPENDED',
  },
  'hard reboot': { saga: 'reboot', begin: act({ reboot: { type: 'HARD' } }), ends: 'ACTIVE', fails: 'ACTIVE' },
  snapshot: {
    saga: 'createImage',
    begin: act({ createImage: { name: 'copy' } }),
    ends: 'ACTIVE',
    fails: 'ACTIVE',
    undone: true,
  },
  attach: { saga: 'attach_interface', begin: attach, ends: 'ACTIVE', fails: 'ACTIVE', undone: true },
  detach: { saga: 'detach_interface', begin: detach, ends: 'ACTIVE', fails: 'ACTIVE' },
}

/** One cloud after another on the same database and hosts. */
async function stage() {
  const world = await newWorld()
  let probe: SagaProbe = () => {}
  const boot = () => serverCloud({ world, hosts: ['h1', 'h2'], sagaProbe: point => probe(point) })
  let cloud = await boot()
  const who = await cloud.project('p1')
  return {
    get cloud() {
      return cloud
    },
    who,
    setProbe: (next: SagaProbe) => {
      probe = next
    },
    async restart() {
      await cloud.kill()
      probe = () => {}
      cloud = await boot()
      await cloud.begin()
      await cloud.env.sagas.idle()
    },
    /** Begins a flow on a new server. Waits for the answer, which may come at the end of the saga, or for the place where it is stopped. */
    async begin(flow: Flow, stopped: Promise<void> = new Promise(() => {})): Promise<string> {
      if (flow.saga === 'create') return cloud.ask(who)
      const watching = probe
      probe = () => {}
      const { id } = await cloud.boot(who)
      for (const body of flow.prepare ?? []) {
        await act(body)(cloud, who, id)
        await cloud.env.sagas.idle()
      }
      probe = watching
      await Promise.race([flow.begin(cloud, who, id), stopped])
      return id
    },
    async status(id: string): Promise<string> {
      const shown = await cloud.api<{ server: Record<string, unknown> }>(who, 'GET', `/servers/${id}`)
      if (shown.status === 404) return 'gone'
      const { server } = shown.body
      assert.equal(server['OS-EXT-STS:task_state'], null, 'a server at rest has no task')
      if (server.status === 'ERROR') assert.ok(server.fault, 'an error has its fault')
      return String(server.status)
    },
    /** Deletes what is left of the server, and looks at what it held. */
    async end(id: string): Promise<Held> {
      if ((await this.status(id)) !== 'gone') await cloud.remove(who, id)
      return cloud.held()
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

type Stage = Awaited<ReturnType<typeof stage>>

const places = new Map<Flow, Pick<ProbePoint, 'step' | 'at'>[]>()

/** Every place in a flow's saga, in order. */
async function pointsOf(s: Stage, flow: Flow): Promise<Pick<ProbePoint, 'step' | 'at'>[]> {
  const known = places.get(flow)
  if (known) return known
  const points: ProbePoint[] = []
  s.setProbe(point => void (point.saga === `compute.servers.${flow.saga}` && points.push(point)))
  const id = await s.begin(flow)
  await s.cloud.env.sagas.idle()
  s.setProbe(() => {})
  assert.equal(await s.status(id), flow.ends)
  assert.deepEqual(await s.end(id), nothingHeld)
  assert.ok(points.length >= 5, 'each flow has an effect and a record of it')
  places.set(flow, points)
  return points
}

const sameStep = (name: string) => name.replace(/h[12]$/, 'host')

/** Is called back at one place of a flow's saga, once; `reached` resolves then. */
function at(flow: Flow, point: Pick<ProbePoint, 'step' | 'at'>, then: () => Promise<void> | void) {
  const reached = Promise.withResolvers<void>()
  let times = 0
  const probe: SagaProbe = ({ saga, step, at: place }) => {
    const here =
      saga === `compute.servers.${flow.saga}` && place === point.at && sameStep(step) === sameStep(point.step)
    if (!here || ++times > 1) return
    reached.resolve()
    return then()
  }
  return { probe, reached: reached.promise }
}

const killed = () => new Promise<never>(() => {})

for (const [name, flow] of Object.entries(flows)) {
  test(`${name}: a kill at every step is taken up by the next process`, async () => {
    await using s = await stage()
    for (const point of await pointsOf(s, flow)) {
      const { probe, reached } = at(flow, point, killed)
      s.setProbe(probe)
      const id = await s.begin(flow, reached)
      await reached
      await s.restart()
      assert.equal(await s.status(id), flow.ends, `killed ${point.at} ${point.step}`)
      assert.deepEqual(await s.end(id), nothingHeld, `killed ${point.at} ${point.step}`)
    }
  })

  test(`${name}: a failure at every step is undone, also when the process is killed meanwhile`, async () => {
    await using s = await stage()
    for (const point of await pointsOf(s, flow)) {
      for (const dies of flow.undone ? [false, true] : [false]) {
        const where = `failed ${point.at} ${point.step}${dies ? ' and killed' : ''}`
        let undoing = false
        const { probe, reached } = at(flow, point, () => {
          undoing = true
          throw new Error('injected')
        })
        s.setProbe(here => (dies && undoing && here.at === 'undo' ? killed() : probe(here)))
        const id = await s.begin(flow, reached)
        await reached
        if (dies) {
          for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
          await s.restart()
        } else await s.cloud.env.sagas.idle()
        // What an action did to the guest before it failed is there: the server follows its guest.
        const followed = flow.saga !== 'create' && flow.saga !== 'delete'
        const allowed = followed || point.at === 'journaled' ? [flow.fails, flow.ends] : [flow.fails]
        const status = await s.status(id)
        assert.ok(allowed.includes(status), `${where}: ${status}`)
        assert.deepEqual(await s.end(id), nothingHeld, where)
      }
    }
  })

  if (name === 'delete') continue
  test(`${name}: a delete at every step wins`, async () => {
    await using s = await stage()
    for (const point of await pointsOf(s, flow)) {
      let subject = ''
      const { probe, reached } = at(flow, point, async () => {
        const answer = await s.cloud.api(s.who, 'DELETE', `/servers/${subject}`)
        assert.equal(answer.status, 204)
      })
      s.setProbe(here => {
        subject = here.subject
        return probe(here)
      })
      const id = await s.begin(flow, reached)
      await reached
      await s.cloud.env.sagas.idle()
      assert.equal(await s.status(id), 'gone', `deleted ${point.at} ${point.step}`)
      assert.deepEqual(await s.cloud.held(), nothingHeld, `deleted ${point.at} ${point.step}`)
    }
  })
}
