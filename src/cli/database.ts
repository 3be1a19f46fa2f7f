/** Opens the database that the configuration names, and the commands `db migrate` and `db check`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import type { Database } from '#kernel/db/database.ts'
import { migrate, pendingMigrations } from '#kernel/db/migrate.ts'
import { openPostgres } from '#kernel/db/postgres.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { messageOf } from '#kernel/errors.ts'
import { migrationSets } from '../cloud.ts'
import { StartError } from './data-dir.ts'
import { configOf, readSettings } from './settings.ts'

/** `file`: where it is SQLite. A server that is not there is missed now, in words for whoever has to start it. */
export async function openDatabase(config: { database_url: string }, file: string): Promise<Database> {
  if (!config.database_url) return openSqlite(file, { breathes: true })
  const database = openPostgres(config.database_url)
  try {
    await sql`select 1`.execute(database.root)
    return database
  } catch (cause) {
    await database[Symbol.asyncDispose]()
    throw new StartError(
      `the PostgreSQL server of cloud.database_url was not reached (${messageOf(cause)}): start it, or mend the address`,
      { cause },
    )
  }
}

export const databaseFile = 'nephos.db'

const configIn = (dir: string) => configOf(readSettings(dir, [])).of(cloudConfig)

/** False for a directory whose cloud is `--ephemeral`, or that has none. */
export const keepsDatabase = (dir: string): boolean =>
  Boolean(configIn(dir).database_url) || existsSync(join(dir, databaseFile))

/** The database of the cloud that is kept in a directory. Throws StartError where there is none: only `up` and `db migrate` make one. */
export async function configured(dir: string): Promise<Database> {
  if (!keepsDatabase(dir)) {
    throw new StartError(
      `no database is kept in ${dir}: give the --data of the cloud; one that is --ephemeral keeps none`,
    )
  }
  return openDatabase(configIn(dir), join(dir, databaseFile))
}

export async function dbMigrate({ data }: { data: string }): Promise<number> {
  await using database = await openDatabase(configIn(data), join(data, databaseFile))
  const ran = await migrate(database, migrationSets)
  console.log(ran.length === 0 ? 'The database is up to date.' : `Ran ${ran.length} migrations: ${ran.join(', ')}`)
  return 0
}

/** Exit code 1 when migrations are missing. */
export async function dbCheck({ data }: { data: string }): Promise<number> {
  await using database = await configured(data)
  const missing = await pendingMigrations(database, migrationSets)
  console.log(
    missing.length === 0 ? 'The database is up to date.' : `Missing: ${missing.join(', ')}. Run: nephos db migrate`,
  )
  return missing.length === 0 ? 0 : 1
}
