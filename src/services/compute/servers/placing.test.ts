/** What is remembered of hosts does not say that they are up: those that are to be used are looked at anew, a few at a time. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { hosts } from '../hosts/store.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld } from './fixtures/world.ts'
import { place } from './placing.ts'

const flavor = { id: '1', name: 'small', vcpus: 1, ram: 128, disk: 1, ephemeral: 0, swap: 0, extra_specs: {} }
const spec = { availability_zone: null, requested_host: null, scheduler_hints: {}, group_id: null }
const request = { flavor, image: null, spec, ignore: [], project_id: 'p', user_id: 'u' }

onEachEngine('a rack of empty hosts that are down takes nothing, and is passed over', async database => {
  const names = Array.from({ length: 16 }, (_, i) => `h${i}`)
  const world = await newWorld(undefined, database)
  await using cloud = await serverCloud({ hosts: names, vcpus: 8, world })
  const ctx = cloud.ctx()
  const placed = () => ctx.transaction(tx => place(tx, request, [tx.ids.uuid()]))
  for (let i = 0; i < 32; i++) assert.ok('hosts' in (await placed()))
  const down = names.slice(0, 12)
  for (const { provider_uuid, name } of await hosts.list(ctx.db)) {
    const all = (await ctx.services.placement.usagesOf(ctx, provider_uuid)).VCPU
    assert.equal(all, 2, `${name}: servers are spread`)
  }
  await hosts.update(ctx.db, { name: down }, { forced_down: true })
  for (let i = 0; i < 12; i++) {
    const placing = await placed()
    assert.ok('hosts' in placing && placing.hosts.every(({ host }) => !down.includes(host)))
  }
  await hosts.update(ctx.db, { name: names }, { forced_down: true })
  const none = await placed()
  assert.ok('explanation' in none)
  await hosts.update(ctx.db, { name: 'h3' }, { forced_down: false })
  const again = await placed()
  assert.ok('hosts' in again && again.hosts[0]?.host === 'h3')
})
