/** Databases in memory that begin migrated. Migrations never change: the first of a process runs them, all others begin as a copy of what it made. */
import type { DatabaseSync } from 'node:sqlite'
import { type Database, databaseOf } from './database.ts'
import { type MigrationSet, migrate, ownTable } from './migrate.ts'
import { connectSqlite, sqliteDialect } from './sqlite.ts'

const made = new WeakMap<readonly MigrationSet[], Uint8Array>()

export async function connectMigrated(sets: MigrationSet[], ready?: () => readonly string[]): Promise<DatabaseSync> {
  const connection = connectSqlite(':memory:')
  const known = made.get(sets)
  if (known) connection.deserialize(known)
  else {
    // As one text it costs half of what its statements cost one by one.
    if (ready) connection.exec(['begin', ownTable, ...ready(), 'commit'].join(';\n'))
    await migrate(databaseOf('sqlite', sqliteDialect(connection)), sets)
    made.set(sets, connection.serialize())
  }
  return connection
}

export async function openMigrated(sets: MigrationSet[], ready?: () => readonly string[]): Promise<Database> {
  return databaseOf('sqlite', sqliteDialect(await connectMigrated(sets, ready)))
}
