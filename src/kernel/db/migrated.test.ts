/** A copy of a migrated database is what migrations make, and nobody else's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Database } from './database.ts'
import { type MigrationSet, migrate } from './migrate.ts'
import { openMigrated } from './migrated.ts'
import { openSqlite } from './sqlite.ts'

let runs = 0
const setsOf = (column: string): MigrationSet[] => [
  {
    owner: 'test',
    migrations: [
      {
        name: '0001-things',
        async up(db) {
          runs++
          await db.schema.createTable('things').addColumn(column, 'text').execute()
        },
      },
    ],
  },
]

const schemaOf = async (database: Database) =>
  (await sql<{ sql: string }>`select sql from sqlite_schema order by name`.execute(database.root)).rows

test('migrations run once in a process; each database has what they make, and its own rows', async () => {
  runs = 0
  const sets = setsOf('name')
  await using first = await openMigrated(sets)
  await sql`insert into things values ('of the first')`.execute(first.root)
  await using second = await openMigrated(sets)
  assert.equal(runs, 1)
  assert.deepEqual(await migrate(second, sets), [])
  await using plain = openSqlite(':memory:')
  await migrate(plain, sets)
  assert.deepEqual(await schemaOf(second), await schemaOf(plain))
  const count = sql<{ n: number }>`select count(*) n from things`
  assert.deepEqual((await count.execute(second.root)).rows, [{ n: 0 }])
  const keys = await sql<{ foreign_keys: number }>`pragma foreign_keys`.execute(second.root)
  assert.deepEqual(keys.rows, [{ foreign_keys: 1 }])
})

test('other migrations make another database', async () => {
  await using one = await openMigrated(setsOf('name'))
  await using other = await openMigrated(setsOf('title'))
  assert.notDeepEqual(await schemaOf(one), await schemaOf(other))
})
