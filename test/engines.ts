/**
 * The databases that store tests run on: SQLite, and PostgreSQL when NEPHOS_TEST_POSTGRES names a server; NEPHOS_TEST_ENGINE=sqlite or
 * =postgres takes only the one. Each test has one of its own, empty, or with the tables of a whole cloud when NEPHOS_TEST_TEMPLATE names a database to copy.
 */
import { test } from 'node:test'
import pg from 'pg'
import type { Database } from '../src/kernel/db/database.ts'
import { openPostgres } from '../src/kernel/db/postgres.ts'
import { openSqlite } from '../src/kernel/db/sqlite.ts'
import { systemIds } from '../src/kernel/ids.ts'

async function run(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

function openNamed(server: string, name: string): Database {
  const url = new URL(server)
  url.pathname = `/${name}`
  return openPostgres(url.href)
}

async function freshPostgres(server: string): Promise<Database> {
  const name = `nephos_test_${systemIds().hex()}`
  const template = process.env.NEPHOS_TEST_TEMPLATE
  await run(server, `create database ${name}${template ? ` template ${template}` : ''}`)
  const database = openNamed(server, name)
  return {
    ...database,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await run(server, `drop database if exists ${name} with (force)`)
    },
  }
}

/** Registers the same story once for each engine. */
export function onEachEngine(name: string, story: (database: Database) => Promise<void>): void {
  const only = process.env.NEPHOS_TEST_ENGINE
  if (only !== 'postgres') {
    test(`${name} (SQLite)`, async () => {
      await using database = openSqlite(':memory:')
      await story(database)
    })
  }
  if (only === 'sqlite') return
  const server = process.env.NEPHOS_TEST_POSTGRES
  test(`${name} (PostgreSQL)`, { skip: server ? false : 'NEPHOS_TEST_POSTGRES is not set' }, async () => {
    await using database = await freshPostgres(server!)
    await story(database)
  })
}
