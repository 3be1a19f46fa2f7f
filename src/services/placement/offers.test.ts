/** What other services rely on: providers as their hosts report them, candidates, claims that never give more than there is. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Ctx } from '#kernel/context.ts'
import { onEachEngine } from '../../../test/engines.ts'
import { testCloud } from '../../../test/harness.ts'
import { allocations } from './allocations/store.ts'
import type { CandidateRequest, InventorySpec } from './contract.ts'
import { placementContract as placement } from './offers.ts'
import { inventories } from './providers/store.ts'

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const owner = { project_id: 'p1', user_id: 'u1', type: 'INSTANCE' }

function host(n: number, vcpus: number, traits: string[] = [], extra: Partial<InventorySpec> = {}) {
  return {
    uuid: uuid(n),
    name: `host-${n}`,
    inventories: { VCPU: { total: vcpus, ...extra }, MEMORY_MB: { total: 4096 } },
    traits,
  }
}

function asking(VCPU: number, more: Partial<CandidateRequest> = {}): CandidateRequest {
  return { resources: { VCPU, MEMORY_MB: 512 }, required_traits: [], forbidden_traits: [], member_of: [], ...more }
}

const hostsFor = async (ctx: Ctx, request: CandidateRequest) =>
  (await placement.candidates(ctx, request)).map(c => Number(c.root.slice(-4))).sort()

/** For each provider and class: the kept sum is the sum of the allocations, and within the capacity. */
async function assertBooksBalance(ctx: Ctx): Promise<void> {
  const given = await allocations.list(ctx.db)
  for (const row of await inventories.list(ctx.db)) {
    const mine = given.filter(a => a.provider === row.provider && a.resource_class === row.resource_class)
    assert.equal(
      row.used,
      mine.reduce((sum, a) => sum + a.used, 0),
    )
    assert.ok(row.used <= Math.floor((row.total - row.reserved) * row.allocation_ratio))
  }
}

onEachEngine('a claim takes from its host, a release gives back', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  await placement.ensureProvider(ctx, host(1, 4))
  const [first, ...others] = await placement.candidates(ctx, asking(3))
  assert.deepEqual(others, [])
  assert.deepEqual([first?.root, first?.used], [uuid(1), { VCPU: 0, MEMORY_MB: 0 }])
  assert.deepEqual(first?.allocations, { [uuid(1)]: { VCPU: 3, MEMORY_MB: 512 } })
  const amounts = { [uuid(1)]: { VCPU: 3, MEMORY_MB: 512 } }
  await placement.claim(ctx, { id: uuid(100), ...owner }, amounts)
  assert.deepEqual(await placement.allocationsOf(ctx, uuid(100)), amounts)
  assert.deepEqual(await placement.usagesOf(ctx, uuid(1)), { VCPU: 3, MEMORY_MB: 512 })
  assert.deepEqual(await hostsFor(ctx, asking(3)), [])
  assert.deepEqual(await hostsFor(ctx, asking(1)), [1])
  const [second] = await placement.candidates(ctx, asking(1))
  assert.deepEqual(second?.used, { VCPU: 3, MEMORY_MB: 512 })
  assert.notEqual(second?.generation, first?.generation)
  await placement.release(ctx, uuid(100))
  await placement.release(ctx, uuid(100))
  assert.deepEqual(await placement.usagesOf(ctx, uuid(1)), { VCPU: 0, MEMORY_MB: 0 })
  assert.deepEqual(await hostsFor(ctx, asking(3)), [1])
})

onEachEngine('a claim that does not fit changes nothing, and the transaction may try another host', async database => {
  await using cloud = await testCloud({ database })
  await placement.ensureProvider(cloud.ctx(), host(1, 1))
  await placement.ensureProvider(cloud.ctx(), host(2, 8))
  await cloud.ctx().transaction(async ctx => {
    const consumer = { id: uuid(100), ...owner }
    await assert.rejects(placement.claim(ctx, consumer, { [uuid(1)]: { VCPU: 2 } }), {
      status: 409,
      message: /'VCPU' on resource provider '.*1'. The requested amount would exceed the capacity/,
    })
    assert.deepEqual(await placement.allocationsOf(ctx, uuid(100)), {})
    await placement.claim(ctx, consumer, { [uuid(2)]: { VCPU: 2 } })
    assert.deepEqual(await hostsFor(ctx, asking(7)), [], 'candidates inside the transaction see its own claims')
  })
  await assert.rejects(
    cloud.ctx().transaction(async ctx => {
      await placement.claim(ctx, { id: uuid(101), ...owner }, { [uuid(2)]: { VCPU: 6 } })
      assert.deepEqual(await hostsFor(ctx, asking(1)), [1])
      throw new Error('another part of the request failed')
    }),
  )
  assert.deepEqual(await hostsFor(cloud.ctx(), asking(6)), [2], 'what was rolled back is seen by nobody')
  await assertBooksBalance(cloud.ctx())
})

onEachEngine('a move claims the new host and keeps the old until it is over', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  for (const n of [1, 2]) await placement.ensureProvider(ctx, host(n, 4))
  await placement.claim(ctx, { id: uuid(100), ...owner }, { [uuid(1)]: { VCPU: 4 } })
  await ctx.transaction(async tx => {
    await placement.claim(tx, { id: uuid(101), ...owner, type: 'MIGRATION' }, {})
    await placement.claim(tx, { id: uuid(100), ...owner }, { [uuid(2)]: { VCPU: 4 } })
    await placement.claim(tx, { id: uuid(101), ...owner, type: 'MIGRATION' }, { [uuid(1)]: { VCPU: 4 } })
  })
  assert.deepEqual(await placement.usagesOf(ctx, uuid(1)), { VCPU: 4, MEMORY_MB: 0 })
  assert.deepEqual(await placement.usagesOf(ctx, uuid(2)), { VCPU: 4, MEMORY_MB: 0 })
  await assertBooksBalance(ctx)
})

onEachEngine('traits, aggregates and trees choose hosts, and refusals say why', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  await placement.ensureProvider(ctx, host(1, 4, ['HW_CPU_X86_AVX2', 'CUSTOM_GOLD']))
  await placement.ensureProvider(ctx, host(2, 4, ['HW_CPU_X86_AVX2']))
  await placement.ensureProvider(ctx, host(3, 2, [], { allocation_ratio: 4, max_unit: 2 }))
  await placement.setAggregates(ctx, uuid(1), [uuid(900)])
  await placement.setAggregates(ctx, uuid(2), [uuid(900), uuid(901)])

  assert.deepEqual(await hostsFor(ctx, asking(2, { required_traits: ['HW_CPU_X86_AVX2'] })), [1, 2])
  assert.deepEqual(await hostsFor(ctx, asking(2, { forbidden_traits: ['CUSTOM_GOLD'] })), [2, 3])
  assert.deepEqual(await hostsFor(ctx, asking(2, { member_of: [[uuid(900)], [uuid(901), uuid(902)]] })), [2])
  assert.deepEqual(await hostsFor(ctx, asking(2, { in_tree: uuid(3) })), [3])
  assert.equal((await hostsFor(ctx, asking(2, { limit: 1 }))).length, 1)
  const refusals = await placement.explain(
    ctx,
    asking(3, { required_traits: ['CUSTOM_GOLD'], member_of: [[uuid(900)]] }),
  )
  assert.deepEqual(
    refusals.sort((a, b) => a.name.localeCompare(b.name)),
    [
      { provider: uuid(2), name: 'host-2', constraint: 'trait:CUSTOM_GOLD', asked: 'required', had: 'absent' },
      { provider: uuid(3), name: 'host-3', constraint: 'member_of', asked: uuid(900), had: 'no aggregate' },
    ],
  )
  assert.deepEqual(await placement.explain(ctx, asking(3)), [
    { provider: uuid(3), name: 'host-3', constraint: 'VCPU', asked: '3', had: 'amounts of 1 to 2 in steps of 1' },
  ])
  await placement.claim(ctx, { id: uuid(100), ...owner }, { [uuid(1)]: { VCPU: 3 } })
  assert.equal((await placement.explain(ctx, asking(2))).find(r => r.provider === uuid(1))?.had, '1 free of 4')
})

onEachEngine(
  'choosing in a transaction reads what changed, and sees its own claims before others do',
  async database => {
    await using cloud = await testCloud({ database })
    const ctx = cloud.ctx()
    for (let n = 1; n <= 20; n++) await placement.ensureProvider(ctx, host(n, 4))
    const read = () => ctx.transaction(tx => placement.candidates(tx, asking(1)))
    assert.equal((await read()).length, 20)
    const before = database.statements()
    assert.equal((await read()).length, 20)
    assert.ok(database.statements() - before <= 4)
    const given_up = ctx.transaction(async tx => {
      await placement.claim(tx, { id: uuid(100), ...owner }, { [uuid(1)]: { VCPU: 4 } })
      assert.equal((await placement.candidates(tx, asking(1))).length, 19)
      throw new Error('given up')
    })
    await assert.rejects(given_up, /given up/)
    assert.equal((await read()).length, 20)
    assert.equal((await placement.candidates(ctx, asking(1))).length, 20)
  },
)

onEachEngine('a host that reports again changes only what differs, and keeps what is in use', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  await placement.ensureProvider(ctx, host(1, 4))
  await placement.claim(ctx, { id: uuid(100), ...owner }, { [uuid(1)]: { VCPU: 4 } })
  const before = cloud.env.database.statements()
  await placement.ensureProvider(ctx, host(1, 4))
  assert.ok(cloud.env.database.statements() - before <= 4, 'reads only')

  await placement.ensureProvider(ctx, { ...host(1, 4), inventories: {}, name: 'renamed' })
  assert.deepEqual(await placement.usagesOf(ctx, uuid(1)), { VCPU: 4 })
  await placement.ensureProvider(ctx, host(1, 2))
  assert.deepEqual(await hostsFor(ctx, asking(1)), [], 'it shrank below what is used')
  await placement.claim(ctx, { id: uuid(100), ...owner }, { [uuid(1)]: { VCPU: 3 } })
  await assert.rejects(placement.removeProvider(ctx, uuid(1)), { status: 409 })
  await placement.release(ctx, uuid(100))
  await placement.removeProvider(ctx, uuid(1))
  assert.deepEqual(await hostsFor(ctx, asking(1)), [])
  await placement.ensureProvider(ctx, host(1, 2))
  assert.deepEqual(await hostsFor(ctx, asking(1)), [1])
})

onEachEngine('64 schedulers at once never give more than there is, and give all that there is', async database => {
  await using cloud = await testCloud({ database })
  for (const n of [1, 2, 3]) await placement.ensureProvider(cloud.ctx(), host(n, 5, [], { allocation_ratio: 1.5 }))
  const schedule = async (n: number) => {
    for (const candidate of await placement.candidates(cloud.ctx(), asking(1))) {
      try {
        await placement.claim(cloud.ctx(), { id: uuid(100 + n), ...owner }, candidate.allocations)
        return true
      } catch (error) {
        assert.equal((error as { status?: number }).status, 409)
      }
    }
    return false
  }
  const placed = await Promise.all(Array.from({ length: 64 }, (_, n) => schedule(n)))
  await assertBooksBalance(cloud.ctx())
  assert.equal(placed.filter(Boolean).length, 21, 'three hosts of 5 vCPUs at 1.5: 7 each')
})

onEachEngine('whatever claims and releases come at once, the books balance', async database => {
  await using cloud = await testCloud({ database })
  const amounts = fc.dictionary(
    fc.constantFrom(uuid(1), uuid(2), uuid(3)),
    fc.record({ VCPU: fc.integer({ min: 1, max: 5 }), MEMORY_MB: fc.constantFrom(512, 2048) }),
    { maxKeys: 2 },
  )
  const step = fc.record({ consumer: fc.integer({ min: 100, max: 105 }), amounts })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 5 }), async rounds => {
      const ctx = cloud.ctx()
      for (const n of [1, 2, 3])
        await placement.ensureProvider(ctx, host(n, 5, [], { reserved: 1, allocation_ratio: 1.9 }))
      for (const round of rounds) {
        const outcomes = await Promise.allSettled(
          round.map(s => placement.claim(ctx, { id: uuid(s.consumer), ...owner }, s.amounts)),
        )
        for (const outcome of outcomes)
          if (outcome.status === 'rejected') assert.equal(outcome.reason.status, 409, String(outcome.reason))
        await assertBooksBalance(ctx)
      }
      for (let n = 100; n <= 105; n++) await placement.release(ctx, uuid(n))
    }),
    { numRuns: 25 },
  )
})
