/** What is old is forgotten, however much of it there is. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../test/engines.ts'
import { testCloud } from '../../test/harness.ts'
import { virtualClock } from './clock.ts'
import { housekeeping } from './housekeeping.ts'
import { journal } from './saga/journal.ts'

const days = 86_400_000

onEachEngine('of more finished sagas than end in an hour none stays longer than it is kept', async database => {
  const clock = virtualClock()
  await using cloud = await testCloud({ database, clock, set: ['cloud.keep_deleted_days=30'] })
  const ctx = cloud.ctx()
  for (let i = 0; i < 1200; i++) await ctx.sagas.note(ctx, 'test.note', `subject ${i}`)
  await clock.advance(29 * days)
  await ctx.sagas.note(ctx, 'test.note', 'young')
  await clock.advance(2 * days)
  await housekeeping.run(ctx)
  assert.deepEqual(await journal.ofSubject(ctx.db, 'subject 1199'), [])
  assert.deepEqual(await journal.ofSubject(ctx.db, 'subject 0'), [])
  assert.equal((await journal.ofSubject(ctx.db, 'young')).length, 1)
})
