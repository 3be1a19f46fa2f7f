/** Sixteen schedulers at once, each with its own memory of the hosts: no host ever gives more than it has. */
import assert from 'node:assert/strict'
import { type Ctx, createCtx, systemIdentity } from '#kernel/context.ts'
import type { Database } from '#kernel/db/database.ts'
import { seededIds } from '#kernel/ids.ts'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import { place } from '../../src/services/compute/servers/placing.ts'
import { allocations } from '../../src/services/placement/allocations/store.ts'
import { inventories } from '../../src/services/placement/providers/store.ts'
import { onEachEngine } from '../engines.ts'

const schedulers = 16
const rounds = 5

const spec = { availability_zone: null, requested_host: null, scheduler_hints: {}, group_id: null }
const flavorOf = (vcpus: number) => ({
  ...{ id: '1', name: 'any', vcpus, ram: 256 * vcpus, disk: 1, ephemeral: 0, swap: 0, extra_specs: {} },
})

/** Places servers, some of them several together, and takes some away again. Says how many requests found no host. */
async function schedule(ctx: Ctx, random: () => number): Promise<number> {
  const mine: string[] = []
  let refused = 0
  for (let i = 0; i < rounds; i++) {
    if (mine.length > 2 && random() < 0.4) {
      const [gone] = mine.splice(Math.floor(random() * mine.length), 1)
      await ctx.services.placement.release(ctx, gone!)
      continue
    }
    const flavor = flavorOf(1 + Math.floor(random() * 3))
    const ids = Array.from({ length: 1 + Math.floor(random() * 3) }, () => ctx.ids.uuid())
    const request = { flavor, image: null, spec, ignore: [], project_id: 'p', user_id: 'u' }
    const placing = await ctx.transaction(tx => place(tx, request, ids))
    if ('hosts' in placing) mine.push(...ids)
    else refused++
  }
  return refused
}

async function checkInventories({ root }: Database): Promise<void> {
  const given = new Map<string, number>()
  for (const { provider, resource_class, used } of await allocations.list(root)) {
    const key = `${provider} ${resource_class}`
    given.set(key, (given.get(key) ?? 0) + used)
  }
  for (const { provider, resource_class, used, capacity } of await inventories.list(root)) {
    assert.ok(used <= capacity, `${resource_class}: ${used} of ${capacity}`)
    assert.equal(used, given.get(`${provider} ${resource_class}`) ?? 0, 'what is used is what was given')
  }
}

for (const seed of [1, 2]) {
  onEachEngine(`sixteen schedulers never give a host away twice, seed ${seed}`, async database => {
    const hosts = ['h1', 'h2', 'h3', 'h4']
    const set = ['compute.hosts.cpu_allocation_ratio=1']
    await using cloud = await serverCloud({ world: await newWorld(undefined, database), hosts, vcpus: 12, set })
    const refusals = await Promise.all(
      Array.from({ length: schedulers }, (_, i) => {
        const env = { ...cloud.env, database: { ...cloud.env.database } }
        const ctx = createCtx(env, { requestId: `req-${i}`, identity: systemIdentity })
        return schedule(ctx, seededIds(seed * 100 + i).random)
      }),
    )
    assert.ok(
      refusals.some(count => count > 0),
      'the hosts were full at times',
    )
    await checkInventories(database)
  })
}
