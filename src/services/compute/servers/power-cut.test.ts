/** The power goes at each sync of what is done to a server, and its hosts live on: what was answered happens, what was not may, and nothing is left behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '#kernel/clock.ts'
import { frailDisk } from '../../../../test/power.ts'
import { type ServerCloud, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld } from './fixtures/world.ts'

interface Flow {
  /** Asks for it, of a server that is there unless this makes it; returns its id once answered. */
  begin(cloud: ServerCloud, who: { token: string }, id: string): Promise<string>
  /** The status before, and in the end. */
  before: string
  after: string
}

const asking =
  (method: string, path: string, body: unknown, status: number): Flow['begin'] =>
  async (cloud, who, id) => {
    assert.equal((await cloud.api(who, method, `/servers/${id}${path}`, body)).status, status)
    return id
  }

const flows: Record<string, Flow> = {
  create: { begin: (cloud, who) => cloud.ask(who), before: 'gone', after: 'ACTIVE' },
  delete: { begin: asking('DELETE', '', undefined, 204), before: 'ACTIVE', after: 'gone' },
  resize: {
    begin: asking('POST', '/action', { resize: { flavorRef: '84' } }, 202),
    before: 'ACTIVE',
    after: 'VERIFY_RESIZE',
  },
}

/** One cloud after another, each with what the last one's disk had. */
async function stage() {
  const stack = new AsyncDisposableStack()
  const disk = stack.use(frailDisk())
  const world = await newWorld(undefined, disk.open())
  const boot = () => serverCloud({ world, hosts: ['h1', 'h2'] })
  let cloud = await boot()
  stack.defer(() => cloud[Symbol.asyncDispose]())
  const who = await cloud.project('p1')
  return {
    disk,
    who,
    get cloud() {
      return cloud
    },
    async restart() {
      await cloud.kill()
      world.database = disk.open()
      cloud = await boot()
      await cloud.begin()
      await cloud.env.sagas.idle()
    },
    async ids(): Promise<string[]> {
      const { body } = await cloud.api<{ servers: { id: string }[] }>(who, 'GET', '/servers')
      return body.servers.map(({ id }) => id)
    },
    async status(id: string | undefined): Promise<string> {
      return id !== undefined && (await this.ids()).includes(id) ? (await cloud.show(who, id)).status : 'gone'
    },
    async held() {
      for (const id of await this.ids()) await cloud.remove(who, id)
      return cloud.held()
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

for (const [name, { begin, before, after }] of Object.entries(flows)) {
  test(`${name}: a power cut at every sync`, async () => {
    await using s = await stage()
    let cuts = 0
    for (;;) {
      const there = before === 'gone' ? '' : (await s.cloud.boot(s.who)).id
      const dark = s.disk.cutAfter(cuts)
      let answered: string | undefined
      const work = begin(s.cloud, s.who, there).then(id => {
        answered = id
        return s.cloud.env.sagas.idle()
      })
      if (await Promise.race([work.then(() => true), dark])) break
      // Whoever is still to hear of what is on the disk hears of it.
      await settle(20)
      await s.restart()
      const status = await s.status(answered ?? (there || (await s.ids())[0]))
      const where = `cut after ${cuts}, ${answered ? 'answered' : 'not answered'}: ${status}`
      assert.ok(status === after || (!answered && status === before), where)
      assert.deepEqual(await s.held(), nothingHeld, where)
      cuts++
    }
    assert.ok(cuts >= 2, 'the answer, and what follows')
  })
}
