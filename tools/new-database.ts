/** src/new-database.sql: the statements that make, in a new SQLite database, what all migrations make one by one. */
import type { DatabaseSync } from 'node:sqlite'
import { migrationSets } from '../src/cloud.ts'
import { databaseOf } from '../src/kernel/db/database.ts'
import { migrate } from '../src/kernel/db/migrate.ts'
import { connectSqlite, sqliteDialect } from '../src/kernel/db/sqlite.ts'

const remark = '-- Written by `npm run generate` from the migrations of the kernel and of all services.'

export async function newDatabase(): Promise<string> {
  const connection = connectSqlite(':memory:')
  await using database = databaseOf('sqlite', sqliteDialect(connection))
  await migrate(database, migrationSets)
  return `${[remark, ...statementsOf(connection)].join('\n\n')}\n`
}

/** SQL that makes the tables, indexes and rows of a database anew, beside the table of migrations, which is there before all else. */
export function statementsOf(connection: DatabaseSync): string[] {
  const made = connection
    .prepare(
      "select type, name, sql from sqlite_schema where sql is not null and name not like 'sqlite_%' order by rowid",
    )
    .all() as { type: string; name: string; sql: string }[]
  const tables = made.filter(({ type }) => type === 'table').map(({ name }) => name)
  const statements = [
    ...made.filter(({ name }) => name !== 'kernel_migrations').map(({ sql }) => sql),
    ...[...tables, 'sqlite_sequence'].flatMap(table => rowsOf(connection, table)),
  ]
  const unfit = statements.find(statement => statement.includes('\n\n'))
  if (unfit) throw new Error(`an empty line divides statements, and this one has such a line: ${unfit}`)
  return statements.map(statement => `${statement};`)
}

function rowsOf(connection: DatabaseSync, table: string): string[] {
  const rows = connection.prepare(`select * from "${table}"`).all()
  if (rows.length === 0) return []
  const lines = rows.map(row => `(${Object.values(row).map(literal).join(', ')})`)
  return [`insert into "${table}" values\n${lines.join(',\n')}`]
}

function literal(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
  if (typeof value === 'number') return String(value)
  throw new Error(`no migration has written such a value so far: ${value}`)
}
