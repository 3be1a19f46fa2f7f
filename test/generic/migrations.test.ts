/** Every migration of every service, from each state before it, with rows in every table: it runs, loses none, and ends where a new database begins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { migrationSets } from '../../src/cloud.ts'
import { type Database, databaseOf } from '../../src/kernel/db/database.ts'
import { type MigrationSet, migrate, pendingMigrations } from '../../src/kernel/db/migrate.ts'
import { connectSqlite, openSqlite, sqliteDialect } from '../../src/kernel/db/sqlite.ts'
import { newDatabase } from '../../src/new-database.ts'
import { statementsOf } from '../../tools/new-database.ts'
import { onEachEngine } from '../engines.ts'

interface Column {
  table: string
  name: string
  type: string
  /** It has to be given. */
  needed: boolean
}

async function columnsOf({ engine, root }: Database): Promise<Column[]> {
  const query =
    engine === 'sqlite'
      ? sql<Column>`
          select t.name "table", c.name, lower(c.type) type,
            (c."notnull" and c.dflt_value is null and not (c.pk and c.type = 'integer')) needed
          from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table' and t.name not like 'sqlite_%'`
      : sql<Column>`
          select table_name "table", column_name "name", data_type "type",
            (is_nullable = 'NO' and column_default is null and is_identity = 'NO') needed
          from information_schema.columns where table_schema = 'public'`
  return (await query.execute(root)).rows.filter(({ table }) => table !== 'kernel_migrations')
}

const schemaOf = async (database: Database) =>
  (await columnsOf(database)).map(({ table, name, type, needed }) => `${table}.${name} ${type} ${!!needed}`).sort()

const flavor = { name: 'f', vcpus: 1, ram: 64, disk: 1, swap: 0, ephemeral: 0, extra_specs: {} }
/** What a migration reads must be what the cloud writes. */
const written: Record<string, string> = { flavor: JSON.stringify(flavor), old_flavor: JSON.stringify(flavor) }

function valueFor({ name, type }: Column): unknown {
  if (written[name]) return written[name]
  if (/int|numeric|real|double/.test(type)) return 1
  if (type === 'boolean') return false
  return /json/.test(type) || type === 'text' ? '{}' : 'x'
}

async function countsOf({ root }: Database, tables: Iterable<string>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of tables) {
    const { rows } = await sql<{ n: number }>`select count(*) n from ${sql.table(table)}`.execute(root)
    counts[table] = Number(rows[0]!.n)
  }
  return counts
}

/** Made anew: tokens that end within minutes, whose holders get others. */
const madeAnew = ['compute_console_tokens']

/** A row in each table that has none. What a table refers to need not be there. */
async function fill(database: Database): Promise<void> {
  const { engine, root } = database
  const tables = Map.groupBy(await columnsOf(database), column => column.table)
  const counts = await countsOf(database, tables.keys())
  if (engine === 'sqlite') await sql`pragma foreign_keys = off`.execute(root)
  await database.transaction(async tx => {
    if (engine === 'postgres') await sql`set local session_replication_role = replica`.execute(tx)
    for (const [table, columns] of tables) {
      if (counts[table]! > 0) continue
      const given = columns.filter(({ needed }) => needed)
      if (given.length === 0) {
        await sql`insert into ${sql.table(table)} default values`.execute(tx)
        continue
      }
      const names = sql.join(given.map(({ name }) => sql.ref(name)))
      const values = sql.join(given.map(valueFor))
      await sql`insert into ${sql.table(table)} (${names}) values (${values})`.execute(tx)
    }
  })
}

/** The first so many migrations of a service, after those of the kernel. */
const upTo = ({ owner, migrations }: MigrationSet, count: number): MigrationSet[] => [
  ...migrationSets.filter(set => set.owner === 'kernel' && owner !== 'kernel'),
  { owner, migrations: migrations.slice(0, count) },
]

async function empty({ engine, root }: Database): Promise<void> {
  if (engine === 'sqlite') return
  await sql`drop schema public cascade`.execute(root)
  await sql`create schema public`.execute(root)
}

test('the numbers of migrations are 1, 2, 3 and so on, none twice', () => {
  for (const { owner, migrations } of migrationSets) {
    const numbers = migrations.map(({ name }) => Number(name.slice(0, 4)))
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
      owner,
    )
  }
})

for (const set of migrationSets.filter(({ migrations }) => migrations.length > 0)) {
  onEachEngine(`${set.owner}: from each state to the newest, with rows`, async database => {
    await empty(database)
    let before: Record<string, number> = {}
    for (let count = 1; count <= set.migrations.length; count++) {
      const done = await migrate(database, upTo(set, count))
      assert.equal(done.at(-1), `${set.owner}/${set.migrations[count - 1]!.name}`)
      const tables = new Set((await columnsOf(database)).map(({ table }) => table))
      const kept = Object.keys(before).filter(table => tables.has(table) && !madeAnew.includes(table))
      const after = await countsOf(database, kept)
      for (const table of kept) assert.ok(after[table]! >= before[table]!, `${done.at(-1)} loses rows of ${table}`)
      await fill(database)
      before = await countsOf(database, tables)
      assert.ok(Object.values(before).every(rows => rows > 0))
    }
    assert.deepEqual(await migrate(database, upTo(set, set.migrations.length)), [])
    const stepwise = await schemaOf(database)
    await using fresh = openSqlite(':memory:')
    const whole = database.engine === 'sqlite' ? fresh : database
    await empty(whole)
    await migrate(whole, upTo(set, set.migrations.length))
    assert.deepEqual(stepwise, await schemaOf(whole))
  })
}

onEachEngine('both engines have the same tables and columns, and nothing is left to do', async database => {
  await empty(database)
  await migrate(database, migrationSets)
  assert.deepEqual(await pendingMigrations(database, migrationSets), [])
  await using other = openSqlite(':memory:')
  await migrate(other, migrationSets)
  const names = async (one: Database) => (await columnsOf(one)).map(({ table, name }) => `${table}.${name}`).sort()
  assert.deepEqual(await names(database), await names(other))
})

test('a new database is to the last row what all migrations make, though it runs none', async () => {
  const [byMigrations, ready] = [connectSqlite(':memory:'), connectSqlite(':memory:')]
  await using one = databaseOf('sqlite', sqliteDialect(byMigrations))
  await using other = databaseOf('sqlite', sqliteDialect(ready))
  const ran = await migrate(one, migrationSets)
  assert.deepEqual(await migrate(other, migrationSets, newDatabase), ran)
  assert.deepEqual(statementsOf(ready), statementsOf(byMigrations), 'after a new migration: npm run generate')
})

test('a new database that is behind the migrations is brought up to them', async () => {
  const later: MigrationSet = {
    owner: 'later',
    migrations: [{ name: '0001-first', up: db => sql`create table later_things (id text)`.execute(db).then(() => {}) }],
  }
  await using database = openSqlite(':memory:')
  assert.equal((await migrate(database, [...migrationSets, later], newDatabase)).at(-1), 'later/0001-first')
  assert.deepEqual((await sql`select * from later_things`.execute(database.root)).rows, [])
  assert.deepEqual(await pendingMigrations(database, [...migrationSets, later]), [])
})
