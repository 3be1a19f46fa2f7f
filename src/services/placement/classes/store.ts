/** Rows of custom resource classes. The standard ones are a list in the code. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'

export interface ResourceClassRow {
  name: string
  created_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    placement_resource_classes: ResourceClassRow
  }
}

export const customClasses = rows<ResourceClassRow>('placement_resource_classes')

/** Those of the names that are custom classes. Inside a transaction they stay so until its end. */
export async function knownClasses(ctx: Ctx, names: string[]): Promise<Set<string>> {
  let query = ctx.db.selectFrom('placement_resource_classes').select('name').where('name', 'in', names).orderBy('name')
  if (ctx.database.engine === 'postgres' && ctx.db.isTransaction) query = query.forShare()
  return new Set(names.length > 0 ? (await query.execute()).map(row => row.name) : [])
}

/** Keeps others from making an inventory of the class until the transaction ends. False when there is none of the name. */
export async function lockClass(ctx: Ctx, name: string): Promise<boolean> {
  let query = ctx.db.selectFrom('placement_resource_classes').select('name').where('name', '=', name)
  if (ctx.database.engine === 'postgres') query = query.forUpdate()
  return (await query.executeTakeFirst()) !== undefined
}

/** Adds a class; false when it is there. */
export async function insertClass(ctx: Ctx, row: ResourceClassRow): Promise<boolean> {
  const query = ctx.db.insertInto('placement_resource_classes').values(row)
  const made = await query.onConflict(c => c.doNothing()).executeTakeFirst()
  return Number(made.numInsertedOrUpdatedRows) > 0
}
