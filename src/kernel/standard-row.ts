/** The members that rows of all resources have: revision, times, tags. */
import { isoSeconds } from './clock.ts'
import type { Ctx } from './context.ts'
import type { Rows, Where } from './db/rows.ts'
import { Conflict, PreconditionFailed } from './errors.ts'
import type { Attributes } from './resource-attributes.ts'

/** Members that every resource's row has. */
export interface StandardRow {
  id: string
  project_id: string
  description: string
  tags: string[]
  created_at: string
  updated_at: string
  revision_number: number
}

export function checkRevision(row: StandardRow, ifMatch: string | undefined): void {
  const asked = ifMatch?.match(/revision_number=(\d+)/)?.[1]
  if (asked !== undefined && Number(asked) !== row.revision_number) {
    throw new PreconditionFailed(`Constrained to ${asked}, but current revision is ${row.revision_number}`, {
      type: 'RevisionNumberConstraintFailed',
    })
  }
}

/** The standard members of a new row. */
export function standardMembers(ctx: Ctx, values: Record<string, unknown>): StandardRow {
  const now = isoSeconds(ctx.clock.now())
  return {
    id: ctx.ids.uuid(),
    project_id: values.project_id as string,
    description: (values.description as string | undefined) ?? '',
    tags: (values.tags as string[] | undefined) ?? [],
    created_at: now,
    updated_at: now,
    revision_number: 1,
  }
}

/** Attributes by the names of their columns. */
export function columnsOf<Row>(attributes: Attributes, values: Record<string, unknown>): Partial<Row> {
  const named = Object.entries(values).filter(([name]) => attributes[name]?.column !== false)
  return Object.fromEntries(named.map(([name, value]) => [attributes[name]?.column || name, value])) as Partial<Row>
}

/** Sets columns of a row with its revision and time; throws when someone else changed it meanwhile. */
export async function touch<Row extends StandardRow>(
  ctx: Ctx,
  store: Rows<Row>,
  row: Row,
  patch: Partial<Row>,
): Promise<Row> {
  const changed = {
    ...patch,
    revision_number: row.revision_number + 1,
    updated_at: isoSeconds(ctx.clock.now()),
  } as Partial<Row>
  const count = await store.update(ctx.db, { id: row.id, revision_number: row.revision_number } as Where<Row>, changed)
  if (count === 0)
    throw new Conflict(`The resource ${row.id} was changed by another request; try again.`, { type: 'StaleDataError' })
  return { ...row, ...changed }
}
