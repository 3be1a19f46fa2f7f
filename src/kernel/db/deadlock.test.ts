/** Transactions that wait for each other in a circle: the database ends one of them, and it is begun again. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../test/engines.ts'
import { testCloud } from '../../../test/harness.ts'
import { lock } from './database.ts'

onEachEngine('two transactions that lock the same things in another order both end', async database => {
  await using cloud = await testCloud({ database })
  const both = Promise.withResolvers<void>()
  let begun = 0
  const cross = (first: string, second: string) =>
    cloud.ctx().transaction(async tx => {
      await lock(tx.db, database.engine, first)
      // SQLite has one transaction at a time.
      if (++begun === 2 || database.engine === 'sqlite') both.resolve()
      await both.promise
      await lock(tx.db, database.engine, second)
      return first
    })
  assert.deepEqual(await Promise.all([cross('a', 'b'), cross('b', 'a')]), ['a', 'b'])
  assert.equal(begun, database.engine === 'sqlite' ? 2 : 3)
})
