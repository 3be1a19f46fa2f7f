/** Statements written by hand, on both engines. */
import assert from 'node:assert/strict'
import { sql } from 'kysely'
import { onEachEngine } from '../../../test/engines.ts'
import { fromEach, run, statement } from './statement.ts'

onEachEngine(
  'rows by a list are each found once, however long the list is and whatever it says twice',
  async database => {
    const db = database.root
    await sql`create table things (id text primary key, owner text not null)`.execute(db)
    await sql`create index things_by_owner on things (owner)`.execute(db)
    await sql`insert into things values ('1', 'ann'), ('2', 'bob'), ('3', 'ann'), ('4', 'cem')`.execute(db)
    const idsOf = async (owners: string[]) => {
      const s = statement(db, 'select t.id')
      const found = fromEach(s, { table: 'things', as: 't', column: 'owner' }, owners)
      s.text += ` from ${found.from} where ${found.where} and id <> '2' order by t.id`
      return (await run<{ id: string }>(db, s)).rows.map(row => row.id)
    }
    const others = Array.from({ length: 20 }, (_, i) => `nobody ${i}`)
    assert.deepEqual(await idsOf(['ann', 'bob']), ['1', '3'])
    assert.deepEqual(await idsOf(['ann', 'ann', 'bob', ...others]), ['1', '3'])
    assert.deepEqual(await idsOf(others), [])
    assert.deepEqual(await idsOf([]), [])
    const together = async (owners: string[]) => {
      const s = statement(db, 'select t.id')
      const found = fromEach(s, { table: 'things', as: 't', column: 'owner' }, owners)
      s.text += ` from ${found.from} where ${found.where} order by ${found.first}, t.id desc`
      return (await run<{ id: string }>(db, s)).rows.map(row => row.id)
    }
    assert.deepEqual(await together(['ann', 'bob', 'cem']), ['3', '1', '2', '4'])
    assert.deepEqual(await together(['ann', 'bob', 'cem', ...others]), ['3', '1', '2', '4'])
  },
)

onEachEngine('rows by a long list may have columns of any name', async database => {
  const db = database.root
  await sql`create table facts (key text primary key, value text not null, each text)`.execute(db)
  await sql`insert into facts values ('colour', 'red', 'one')`.execute(db)
  const s = statement(db, 'select key, value, each')
  const keys = ['colour', ...Array.from({ length: 20 }, (_, i) => `other ${i}`)]
  const found = fromEach(s, { table: 'facts', as: 'f', column: 'key' }, keys)
  s.text += ` from ${found.from} where ${found.where}`
  assert.deepEqual((await run(db, s)).rows, [{ key: 'colour', value: 'red', each: 'one' }])
})
