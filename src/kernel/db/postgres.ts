/** PostgreSQL by `pg`. */
import { PostgresDialect, type PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import { onDemand } from '../on-demand.ts'
import { type Database, databaseOf } from './database.ts'

// 64-bit integers and numerics fit a JavaScript number everywhere we use them (sizes, counts, sequence numbers).
const int8 = 20
const numeric = 1700

function typesOf({ types }: typeof pg): pg.CustomTypesConfig {
  const parser = (oid: number, format?: 'text') =>
    oid === int8 || oid === numeric ? Number : types.getTypeParser(oid, format)
  return { getTypeParser: parser as typeof types.getTypeParser }
}

/** Booleans are stored as 0 and 1, as on SQLite, so that rows are the same on both. */
function bind(parameters: readonly unknown[]): unknown[] {
  return parameters.map(value => (typeof value === 'boolean' ? Number(value) : value))
}

/** A server that takes connections and says nothing; and, when there are many requests, one's wait for a connection of its own. */
const connectWithinMs = 20_000

/** Connects to `postgres://user:password@host:port/name`; connections are made when first needed. */
export function openPostgres(url: string, options: { maxConnections?: number } = {}): Database {
  const driver = onDemand.pg()
  const pool = new driver.Pool({
    connectionString: url,
    max: options.maxConnections ?? 10,
    types: typesOf(driver),
    connectionTimeoutMillis: connectWithinMs,
  })
  // An idle connection that the server closes is replaced at the next use; without a listener it would end the process.
  pool.on('error', () => {})
  const dialect = new PostgresDialect({
    pool: {
      async connect(): Promise<PostgresPoolClient> {
        const client = await pool.connect()
        return {
          query: ((sql: string, parameters: readonly unknown[]) =>
            client.query(sql, bind(parameters))) as unknown as PostgresPoolClient['query'],
          release: () => client.release(),
        }
      },
      end: () => pool.end(),
    },
  })
  return databaseOf('postgres', dialect)
}
