/** Migrations: numbered, forward only, each in a transaction, safe to run again after a crash. */
import { CompiledQuery, type Kysely, sql } from 'kysely'
import type { Database, Db, Engine } from './database.ts'

/** A schema builder that knows no tables: migrations must not depend on today's row types. */
export type SchemaDb = Kysely<Record<string, Record<string, unknown>>>

export interface Migration {
  /** Number and words, `0001-initial`; the order of numbers is the order of running. */
  name: string
  up(db: SchemaDb, engine: Engine): Promise<void>
}

export interface MigrationSet {
  /** The service (or `kernel`) whose tables these are. */
  owner: string
  migrations: Migration[]
}

/** What has run is known by it. */
export const ownTable =
  'create table if not exists kernel_migrations (owner text not null, name text not null, primary key (owner, name))'

async function applied(db: Db): Promise<Set<string>> {
  await db.executeQuery(CompiledQuery.raw(ownTable))
  const { rows } = await sql<{ owner: string; name: string }>`select owner, name from kernel_migrations`.execute(db)
  return new Set(rows.map(row => `${row.owner}/${row.name}`))
}

function notIn(done: Set<string>, sets: MigrationSet[]) {
  const all = sets.flatMap(set => set.migrations.map(migration => ({ owner: set.owner, migration })))
  return all.filter(({ owner, migration }) => !done.has(`${owner}/${migration.name}`))
}

/** Names of the migrations that have not run yet, in order. */
export async function pendingMigrations(database: Database, sets: MigrationSet[]): Promise<string[]> {
  return notIn(await applied(database.root), sets).map(({ owner, migration }) => `${owner}/${migration.name}`)
}

/**
 * Runs what has not run yet and returns the names. A new database takes one transaction, so that start-up costs one commit. `ready`: statements
 * that make what migrations would in a new SQLite database, in a fifth of the time; what is newer than they runs after them.
 */
export async function migrate(
  database: Database,
  sets: MigrationSet[],
  ready?: () => readonly string[],
): Promise<string[]> {
  const done = await applied(database.root)
  const todo = notIn(done, sets)
  const isNew = done.size === 0
  const batches = isNew ? [todo] : todo.map(item => [item])
  for (const batch of batches) {
    await database.transaction(async tx => {
      const left = isNew && ready && database.engine === 'sqlite' ? await makeReady(tx, ready(), sets) : batch
      for (const { owner, migration } of left) {
        await migration.up(tx as unknown as SchemaDb, database.engine)
        await sql`insert into kernel_migrations (owner, name) values (${owner}, ${migration.name})`.execute(tx)
      }
    })
  }
  return todo.map(({ owner, migration }) => `${owner}/${migration.name}`)
}

async function makeReady(tx: Db, statements: readonly string[], sets: MigrationSet[]) {
  for (const statement of statements) await tx.executeQuery(CompiledQuery.raw(statement))
  return notIn(await applied(tx), sets)
}
