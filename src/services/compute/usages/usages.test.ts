/** Tenant usage: what ran, how long, for whom. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { archive } from '#kernel/db/archive.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld } from '../servers/fixtures/world.ts'
import { findServer } from '../servers/store.ts'

interface Usage {
  tenant_id: string
  total_hours: number
  total_memory_mb_usage: number
  server_usages: { instance_id: string; state: string; hours: number; ended_at: string | null }[]
}
interface Shown {
  tenant_usage: Usage
  tenant_usage_links?: { href: string }[]
}
interface Listed {
  tenant_usages: Usage[]
}

const hour = 3_600_000
const tenth = hour / 10
const tenths = (hours: number) => Math.round(hours * 10)

async function usageCloud() {
  const clock = virtualClock()
  const cloud = await serverCloud({ world: await newWorld(clock) })
  const at = (ms: number) => new Date(ms).toISOString().slice(0, 19)
  return Object.assign(cloud, {
    clock,
    /** From a day ago until now. */
    period: () => `start=${at(clock.now() - 24 * hour)}&end=${at(clock.now())}`,
  })
}

test('a project pays for hours: of servers that run, and of those deleted until their end', async () => {
  await using cloud = await usageCloud()
  const demo = await cloud.project('p1')
  const other = await cloud.project('p2')
  const admin = await cloud.admin()
  const gone = await cloud.boot(demo)
  const kept = await cloud.boot(demo)
  await cloud.clock.advance(tenth)
  await cloud.remove(demo, gone.id)
  await cloud.clock.advance(2 * tenth)

  const path = `/os-simple-tenant-usage/${demo.id}?${cloud.period()}`
  const { tenant_usage } = (await cloud.api<Shown>(demo, 'GET', path)).body
  assert.equal(tenths(tenant_usage.total_hours), 4)
  assert.equal(tenths(tenant_usage.total_memory_mb_usage), 4 * 128)
  const states = new Map(tenant_usage.server_usages.map(usage => [usage.instance_id, usage.state]))
  assert.deepEqual([states.get(gone.id), states.get(kept.id)], ['terminated', 'active'])
  assert.equal((await cloud.api(other, 'GET', path)).status, 403)

  const all = await cloud.api<Listed>(admin, 'GET', `/os-simple-tenant-usage?${cloud.period()}`)
  assert.deepEqual(
    all.body.tenant_usages.map(usage => [usage.tenant_id, tenths(usage.total_hours)]),
    [[demo.id, 4]],
  )
  assert.equal((await cloud.api(demo, 'GET', `/os-simple-tenant-usage?${cloud.period()}`)).status, 403)
  const none = await cloud.api<Shown>(other, 'GET', `/os-simple-tenant-usage/${other.id}?${cloud.period()}`)
  assert.deepEqual(none.body, { tenant_usage: {} })
})

test('without a period it is about this very moment', async () => {
  await using cloud = await usageCloud()
  const demo = await cloud.project('p1')
  await cloud.boot(demo)
  await cloud.clock.advance(tenth)
  const now = await cloud.api<Shown>(demo, 'GET', `/os-simple-tenant-usage/${demo.id}`)
  assert.deepEqual([now.status, now.body.tenant_usage.total_hours], [200, 0])
  assert.equal((await cloud.api(await cloud.admin(), 'GET', '/os-simple-tenant-usage')).status, 200)
})

test('more deleted servers than a page has are all counted, and come in pages from 2.40 on', async () => {
  await using cloud = await usageCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  await cloud.clock.advance(tenth)
  const ctx = cloud.ctx()
  const row = await findServer(ctx, id)
  await ctx.transaction(async tx => {
    for (let n = 0; n < 1500; n++) {
      const copy = { ...row, id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` }
      await archive(tx, 'compute_servers', copy.id, copy)
    }
  })
  const path = `/os-simple-tenant-usage/${demo.id}?${cloud.period()}`
  const whole = await cloud.api<Shown>(demo, 'GET', path, undefined, '2.39')
  assert.equal(whole.body.tenant_usage.server_usages.length, 1501)
  assert.equal(whole.body.tenant_usage_links, undefined)

  const first = await cloud.api<Shown>(demo, 'GET', `${path}&limit=1000`, undefined, '2.40')
  assert.equal(first.body.tenant_usage.server_usages.length, 1000)
  const next = new URL(first.body.tenant_usage_links![0]!.href)
  const second = await cloud.api<Shown>(
    demo,
    'GET',
    next.href.slice(next.href.indexOf('/os-simple')),
    undefined,
    '2.40',
  )
  assert.equal(second.body.tenant_usage.server_usages.length, 501)
  assert.equal(second.body.tenant_usage_links, undefined)
  assert.equal((await cloud.api(demo, 'GET', `${path}&marker=nobody`, undefined, '2.40')).status, 400)
})
