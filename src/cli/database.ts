/** Opens the database that the configuration names, and the commands `db migrate` and `db check`. */
import { join } from 'node:path'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import type { Database } from '#kernel/db/database.ts'
import { migrate, pendingMigrations } from '#kernel/db/migrate.ts'
import { openPostgres } from '#kernel/db/postgres.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { migrationSets } from '../cloud.ts'
import { configOf, readSettings } from './settings.ts'

/** `file`: where it is SQLite. */
export function openDatabase(config: { database_url: string }, file: string): Database {
  return config.database_url ? openPostgres(config.database_url) : openSqlite(file)
}

export const databaseFile = 'nephos.db'

/** The database of the cloud that is kept in a directory. */
export function configured(dir: string): Database {
  return openDatabase(configOf(readSettings(dir, [])).of(cloudConfig), join(dir, databaseFile))
}

export async function dbMigrate({ data }: { data: string }): Promise<number> {
  await using database = configured(data)
  const ran = await migrate(database, migrationSets)
  console.log(ran.length === 0 ? 'The database is up to date.' : `Ran ${ran.length} migrations: ${ran.join(', ')}`)
  return 0
}

/** Exit code 1 when migrations are missing. */
export async function dbCheck({ data }: { data: string }): Promise<number> {
  await using database = configured(data)
  const missing = await pendingMigrations(database, migrationSets)
  console.log(
    missing.length === 0 ? 'The database is up to date.' : `Missing: ${missing.join(', ')}. Run: nephos db migrate`,
  )
  return missing.length === 0 ? 0 : 1
}
