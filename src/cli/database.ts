/** Opens the database that the configuration names, and the commands `db migrate` and `db check`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import { loadConfig } from '#kernel/config/load.ts'
import type { Database } from '#kernel/db/database.ts'
import { migrate, pendingMigrations } from '#kernel/db/migrate.ts'
import { openPostgres } from '#kernel/db/postgres.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { migrationSets, sections } from '../cloud.ts'

export function openDatabase(config: { database_url: string }, dir: string): Database {
  return config.database_url ? openPostgres(config.database_url) : openSqlite(join(dir, 'nephos.db'))
}

function configured(dir: string): Database {
  const files = [join(dir, 'nephos.yaml')].filter(existsSync)
  return openDatabase(loadConfig(sections, { files, env: process.env }).of(cloudConfig), dir)
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
