/** A transaction that needs an answer from outside waits for it without being open. */
import assert from 'node:assert/strict'
import { sql } from 'kysely'
import { onEachEngine } from '../../test/engines.ts'
import { testCloud } from '../../test/harness.ts'

onEachEngine(
  'nothing is open while somebody outside is asked, and what was done before is done once',
  async database => {
    await using cloud = await testCloud({ database })
    await sql`create table notes (note text not null)`.execute(database.root)
    const notes = async () =>
      (await sql<{ note: string }>`select note from notes order by note`.execute(database.root)).rows.map(
        row => row.note,
      )
    const told: string[] = []
    const write = (note: string) =>
      cloud.ctx().transaction(tx => sql`insert into notes values (${note})`.execute(tx.db))

    const answer = await cloud.ctx().transaction(async tx => {
      await sql`insert into notes values ('before')`.execute(tx.db)
      tx.afterCommit(() => void told.push('committed'))
      const first = await tx.transaction(inner =>
        inner.outside(async () => {
          // Another transaction would wait for ever, or see what is not committed.
          assert.deepEqual(await notes(), [])
          await write('meanwhile')
          return 1
        }),
      )
      const second = await tx.outside(async () => first + 1)
      await sql`insert into notes values ('after')`.execute(tx.db)
      return [first, second]
    })
    assert.deepEqual(answer, [1, 2])
    assert.deepEqual(await notes(), ['after', 'before', 'meanwhile'])
    assert.deepEqual(told, ['committed'])
  },
)

onEachEngine('a question that fails fails its transaction, and outside of one it is just asked', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  const refused = ctx.transaction(tx => tx.outside(() => Promise.reject(new Error('no answer'))))
  await assert.rejects(refused, /no answer/)
  assert.equal(await ctx.outside(async () => 'at once'), 'at once')
})
