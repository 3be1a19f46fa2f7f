/** What is kept of the attributes of extensions: a row a server and attribute, which the database removes with the server's. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { fromEach, run, statement } from '#kernel/db/statement.ts'
import { cellDatabases, lastCellOf } from '../servers/store-cells.ts'

export interface ValueRow {
  server_id: string
  name: string
  /** JSON; never null. */
  value: unknown
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_extension_values: ValueRow
  }
}

const values = rows<ValueRow>('compute_extension_values', { json: ['value'] })

/** Of new servers, whose rows are there. */
export const insertValues = (db: Db, list: ValueRow[]): Promise<void> => values.insertMany(db, list)

/** Of many servers, in one statement a database. */
export async function valuesOf(ctx: Ctx, ids: readonly string[]): Promise<ValueRow[]> {
  if (ids.length === 0) return []
  const found: ValueRow[] = []
  for (const db of cellDatabases(ctx.cells)) {
    const s = statement(db, 'select server_id, name, value')
    const each = fromEach(s, { table: 'compute_extension_values', as: 'v', column: 'server_id' }, ids)
    s.text += ` from ${each.from} where ${each.where}`
    found.push(...(await run<Record<string, unknown>>(db, s)).rows.map(values.decode))
  }
  return found
}

/** Servers of a project that have a value, in the order of their ids. */
export async function listValues(
  ctx: Ctx,
  { name, project_id, limit, marker = '' }: { name: string; project_id: string; limit: number; marker?: string },
): Promise<ValueRow[]> {
  const found: ValueRow[] = []
  for (const db of cellDatabases(ctx.cells)) {
    const { rows: some } = await sql<Record<string, unknown>>`
      select v.server_id, v.name, v.value from compute_extension_values v join compute_servers s on s.id = v.server_id
      where v.name = ${name} and s.project_id = ${project_id} and v.server_id > ${marker}
      order by v.server_id limit ${limit}`.execute(db)
    found.push(...some.map(values.decode))
  }
  return found.sort((a, b) => (a.server_id < b.server_id ? -1 : 1)).slice(0, limit)
}

/** Null removes it. False when the server is gone. */
export async function setValue(ctx: Ctx, { server_id, name, value }: ValueRow): Promise<boolean> {
  const db = await lastCellOf(ctx, server_id)
  if (!db) return false
  if (value === null) {
    await values.remove(db, { server_id, name })
    return true
  }
  const kept = sql`
    insert into compute_extension_values (server_id, name, value)
    select id, ${name}, ${JSON.stringify(value)} from compute_servers where id = ${server_id}
    on conflict (server_id, name) do update set value = excluded.value`.execute(db)
  return kept.then(
    ({ numAffectedRows }) => Number(numAffectedRows) > 0,
    error => {
      if (error.code === foreignKeyViolation) return false
      throw error
    },
  )
}

/** PostgreSQL's, when the server goes at the same time. */
const foreignKeyViolation = '23503'
