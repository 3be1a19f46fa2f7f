/** What was asked for with servers, and why it could not be had, in the database. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { Explanation } from './explanation.ts'
import type { RequestSpec } from './server.ts'

interface RequestSpecRow {
  server_id: string
  spec: RequestSpec
}

interface ExplanationRow {
  server_id: string
  at: string
  report: Explanation
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_request_specs: RequestSpecRow
    compute_server_explanations: ExplanationRow
  }
}

export const requestSpecs = rows<RequestSpecRow>('compute_request_specs', { json: ['spec'], alike: ['spec'] })

export const explanations = rows<ExplanationRow>('compute_server_explanations', { json: ['report'] })

export async function requestSpecOf(ctx: Ctx, id: string): Promise<RequestSpec | undefined> {
  return (await requestSpecs.find(ctx.db, { server_id: id }))?.spec
}

export async function updateRequestSpec(ctx: Ctx, id: string, spec: RequestSpec): Promise<void> {
  await requestSpecs.update(ctx.db, { server_id: id }, { spec })
}

/** Servers that are linked to nothing any more. In one statement: what others change of it meanwhile stays. */
export async function forgetBundle(ctx: Ctx, servers: readonly string[]): Promise<void> {
  const rest =
    ctx.database.engine === 'postgres' ? sql`(spec::jsonb - 'bundle_id')::text` : sql`json_remove(spec, '$.bundle_id')`
  const table = sql.table(requestSpecs.table)
  await sql`update ${table} set spec = ${rest} where server_id in (${sql.join(servers)})`.execute(ctx.db)
}

/** Keeps why a server could not be placed; the newest explanation counts. */
export async function keepExplanation(ctx: Ctx, id: string, report: Explanation): Promise<void> {
  await explanations.remove(ctx.db, { server_id: id })
  await explanations.insert(ctx.db, { server_id: id, at: new Date(ctx.clock.now()).toISOString(), report })
}

export function explanationOf(ctx: Ctx, id: string): Promise<ExplanationRow | undefined> {
  return explanations.find(ctx.db, { server_id: id })
}
