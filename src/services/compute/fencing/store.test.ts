import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud } from '../fixtures/compute-cloud.ts'
import type { FencingRow } from './fencing.ts'
import { fencings, forgetFencings, lastFencing } from './store.ts'

onEachEngine('old fencings are forgotten, but for the last of each host', async database => {
  await using cloud = await computeCloud({ database })
  const ctx = cloud.ctx()
  const at = (day: number) => `2026-01-0${day}T00:00:00.000Z`
  const fenced = (id: string, host: string, day: number, ended_at: string | null = at(day)): FencingRow => ({
    ...{ id, host, state: ended_at === null ? 'running' : 'off', host_seen: at(1), result: null, output: null },
    ...{ created_at: at(day), ended_at },
  })
  const rows = [fenced('a', 'h1', 1), fenced('b', 'h1', 2), fenced('c', 'h1', 2), fenced('d', 'h2', 1)]
  await fencings.insertMany(ctx.db, [...rows, fenced('e', 'h3', 1), fenced('f', 'h3', 4, null), fenced('g', 'h2', 5)])
  const left = async () => (await fencings.pick(ctx.db, ['id'])).map(row => row.id).sort()
  await forgetFencings(ctx, at(1))
  assert.equal((await left()).length, 7, 'none has ended before')
  await forgetFencings(ctx, at(3))
  assert.deepEqual(await left(), ['c', 'f', 'g'])
  assert.equal((await lastFencing(ctx, 'h1'))?.id, 'c')
})
