/** Which kept files go first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type KeptFiles, toPurge } from './kept.ts'

const day = (n: number) => new Date(n * 86_400_000).toISOString()
const kept = (id: string, deleted: number, until: number, bytes = 10): KeptFiles => ({
  ...{ id, deleted_at: day(deleted), until: day(until), free_percent: 20, bytes },
})
const purged = (all: KeptFiles[], free: number, wanted = 0) =>
  toPurge(all, { total: 100, free }, Date.parse(day(10)), wanted).map(one => one.id)

test('what is over goes; of the rest the oldest, until enough is free', () => {
  const all = [kept('young', 9, 19), kept('over', 7, 10), kept('old', 2, 12), kept('older', 1, 30)]
  assert.deepEqual(purged(all, 50), ['over'])
  assert.deepEqual(purged(all, 10), ['over'], 'its room counts')
  assert.deepEqual(purged(all, 5), ['over', 'older'])
  assert.deepEqual(purged(all, 0), ['over', 'older'])
  assert.deepEqual(purged(all, 50, 75), ['over', 'older', 'old'])
  assert.deepEqual(purged(all, 50, 1000), ['over', 'older', 'old', 'young'], 'when all of it is not enough')
  assert.deepEqual(purged([{ ...kept('odd', 9, 19), until: 'never' }], 50), ['odd'])
})
