/** Pages far into a list begin where an index says, not at the list's start. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openSqlite } from './sqlite.ts'
import { addOrder, addWhere, afterRow, run, statement } from './statement.ts'

for (const direction of ['asc', 'desc'] as const)
  test(`a page after a row, ${direction}, is looked up in the index`, async () => {
    await using database = openSqlite(':memory:')
    const { root } = database
    await run(root, statement(root, 'create table things (at text not null, id text primary key)'))
    await run(root, statement(root, 'create index things_in_order on things (at, id)'))
    const order = ['at', 'id'].map(column => ({ column, direction, neverNull: true }))
    const s = statement(root, 'explain query plan select * from things')
    addWhere(s, [afterRow(s, order, { at: '2026', id: 'a' })])
    addOrder(s, order)
    const plan = (await run<{ detail: string }>(root, s)).rows.map(({ detail }) => detail)
    assert.match(plan.join('\n'), /^SEARCH things USING COVERING INDEX things_in_order \(at[<>]\?\)$/)
  })
