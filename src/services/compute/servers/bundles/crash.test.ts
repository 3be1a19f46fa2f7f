/** What links hold is what the servers at their ends have room for, whatever happens to a move and wherever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProbePoint, SagaProbe } from '#kernel/saga/run.ts'
import { linkEnds, links } from '../../links/store.ts'
import { newWorld, nothingHeld } from '../fixtures/world.ts'
import { type BundleCloud, bundleCloud, mesh } from './fixtures/bundle-cloud.ts'

const moves = {
  live: {
    saga: 'compute.servers.live-migration',
    action: { 'os-migrateLive': { host: null, block_migration: 'auto' } },
  },
  cold: { saga: 'compute.servers.migrate', action: { migrate: null } },
}

/** Two servers that fill their hosts, and a host that is left over. */
const racks = { r1: ['h1', 'h2', 'h3'] }

async function stage() {
  const world = await newWorld()
  let probe: SagaProbe = () => {}
  const boot = (prepared: boolean) => bundleCloud({ world, racks, prepared, sagaProbe: point => probe(point) })
  let cloud = await boot(false)
  const flavorRef = (await cloud.flavor('most', 3)).id
  return {
    get cloud() {
      return cloud
    },
    setProbe: (next: SagaProbe) => {
      probe = next
    },
    async pair(): Promise<string[]> {
      const servers = ['a', 'b'].map(name => cloud.server(name, { flavorRef }))
      const asked = { servers, links: mesh(['a', 'b'], { max_hops: 2, bandwidth: 600 }) }
      const { body } = await cloud.bundle(cloud.demo, asked)
      await cloud.env.sagas.idle()
      return body.bundle.servers.map(({ id }) => id)
    },
    async restart() {
      await cloud.kill()
      probe = () => {}
      cloud = await boot(true)
      await cloud.begin()
      await cloud.env.sagas.idle()
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

/** Each end of the link is where its server has room, or its move; and the link has its bandwidth between all of these, and nowhere else. */
async function exact(cloud: BundleCloud, ids: readonly string[], where: string): Promise<void> {
  const ctx = cloud.ctx()
  const ends = await linkEnds.list(ctx.db)
  const rooms: string[] = []
  for (const id of ids) {
    for (const consumer of [id, ...(await cloud.openMoves(id)).map(move => move.uuid)])
      for (const host of Object.keys(await cloud.allocated(consumer))) rooms.push(`${id} ${host}`)
  }
  assert.deepEqual(ends.map(end => `${end.server_id} ${end.host}`).sort(), rooms.sort(), where)
  const [link] = await links.list(ctx.db)
  const held = Object.keys(await cloud.uplinks()).sort()
  const both = new Set(ends.map(end => end.server_id)).size === 2
  assert.deepEqual(held, both ? [...new Set(ends.map(end => end.host))].sort() : [], where)
  assert.ok(link)
}

for (const [name, { saga, action }] of Object.entries(moves)) {
  test(`${name}: a link is exact after a kill, a failure and a delete at every step`, async () => {
    await using s = await stage()
    const begin = async (id: string) => {
      const admin = await s.cloud.admin()
      await s.cloud.api(admin, 'POST', `/servers/${id}/action`, action)
    }
    const end = async (ids: readonly string[], where: string) => {
      for (const id of ids)
        if ((await s.cloud.api(s.cloud.demo, 'GET', `/servers/${id}`)).status === 200)
          await s.cloud.remove(s.cloud.demo, id)
      assert.deepEqual(await s.cloud.held(), nothingHeld, where)
    }
    const points: ProbePoint[] = []
    s.setProbe(point => void (point.saga === saga && point.at !== 'undo' && points.push(point)))
    const first = await s.pair()
    await begin(first[0]!)
    await s.cloud.env.sagas.idle()
    s.setProbe(() => {})
    await exact(s.cloud, first, 'nothing happened')
    await end(first, 'nothing happened')
    assert.ok(points.length > 9)

    for (const [nth, point] of points.entries()) {
      for (const what of point.at === 'journaled'
        ? (['killed', 'failed', 'deleted'] as const)
        : (['killed'] as const)) {
        const where = `${what} ${point.at} ${point.step}`
        const ids = await s.pair()
        const reached = Promise.withResolvers<void>()
        let seen = -1
        s.setProbe(async here => {
          if (here.saga !== saga || here.at === 'undo' || ++seen !== nth) return
          reached.resolve()
          if (what === 'killed') await new Promise<never>(() => {})
          if (what === 'failed') throw new Error('injected')
          await s.cloud.api(s.cloud.demo, 'DELETE', `/servers/${ids[0]}`)
        })
        const begun = begin(ids[0]!)
        await reached.promise
        if (what === 'killed') await s.restart()
        else {
          await begun
          await s.cloud.env.sagas.idle()
        }
        s.setProbe(() => {})
        if (what !== 'deleted') await exact(s.cloud, ids, where)
        await end(ids, where)
      }
    }
  })
}
