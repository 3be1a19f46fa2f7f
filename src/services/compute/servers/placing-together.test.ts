/** Servers of one request are placed together: what that costs, and that nothing is given twice. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld } from './fixtures/world.ts'
import { place } from './placing.ts'

const flavor = { id: '1', name: 'small', vcpus: 1, ram: 128, disk: 1, ephemeral: 0, swap: 0, extra_specs: {} }
const spec = { availability_zone: null, requested_host: null, scheduler_hints: {}, group_id: null }
const request = { flavor, image: null, spec, ignore: [], project_id: 'p', user_id: 'u' }

onEachEngine(
  'ten servers cost hardly more statements than two, and no more fit than there is room for',
  async database => {
    const set = ['compute.hosts.cpu_allocation_ratio=1']
    const world = await newWorld(undefined, database)
    await using cloud = await serverCloud({ hosts: ['h1', 'h2'], vcpus: 8, set, world })
    const ctx = cloud.ctx()
    const placed = (count: number) =>
      ctx.transaction(async tx => {
        const before = cloud.env.database.statements()
        const ids = Array.from({ length: count }, () => tx.ids.uuid())
        const placing = await place(tx, request, ids)
        return { placing, statements: cloud.env.database.statements() - before }
      })
    const [two, ten] = [await placed(2), await placed(10)]
    assert.ok('hosts' in two.placing && 'hosts' in ten.placing)
    assert.deepEqual([two.placing.hosts.length, ten.placing.hosts.length], [2, 10])
    // One for each consumer on PostgreSQL, which locks them; and hosts that get different numbers of servers are written apart.
    const locks = cloud.env.database.engine === 'postgres' ? 8 : 0
    assert.ok(ten.statements <= two.statements + locks + 6, `${ten.statements} statements, ${two.statements} for two`)
    const five = await placed(5)
    assert.ok('explanation' in five.placing)
    const four = await placed(4)
    assert.ok('hosts' in four.placing)
    const used = await Promise.all(
      [...new Set([...two.placing.hosts, ...ten.placing.hosts].map(({ provider }) => provider))].map(provider =>
        ctx.services.placement.usagesOf(ctx, provider),
      ),
    )
    assert.deepEqual(
      used.map(({ VCPU }) => VCPU),
      [8, 8],
    )
  },
)
