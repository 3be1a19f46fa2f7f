/** The databases that store tests run on: SQLite always, PostgreSQL when NEPHOS_TEST_POSTGRES names a server. Each test gets an empty one. */
import { test } from 'node:test'
import pg from 'pg'
import type { Database } from '../src/kernel/db/database.ts'
import { openPostgres } from '../src/kernel/db/postgres.ts'
import { openSqlite } from '../src/kernel/db/sqlite.ts'
import { systemIds } from '../src/kernel/ids.ts'

async function freshPostgres(server: string): Promise<Database> {
  const name = `nephos_test_${systemIds().hex()}`
  const run = async (sql: string) => {
    const client = new pg.Client({ connectionString: server })
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }
  await run(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  const database = openPostgres(url.href)
  return {
    ...database,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await run(`drop database if exists ${name} with (force)`)
    },
  }
}

/** Registers the same story once for each engine. */
export function onEachEngine(name: string, story: (database: Database) => Promise<void>): void {
  test(`${name} (SQLite)`, async () => {
    await using database = openSqlite(':memory:')
    await story(database)
  })
  const server = process.env.NEPHOS_TEST_POSTGRES
  test(`${name} (PostgreSQL)`, { skip: server ? false : 'NEPHOS_TEST_POSTGRES is not set' }, async () => {
    await using database = await freshPostgres(server!)
    await story(database)
  })
}
