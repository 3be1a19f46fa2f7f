/** Flavors in the database, and which projects may use those that are not public. */
import type { Ctx } from '#kernel/context.ts'
import { type AnyBuilder, type ListOptions, rows, type Where } from '#kernel/db/rows.ts'
import { NotFound } from '#kernel/errors.ts'
import { isAdmin } from '../dialect.ts'
import { likeCondition, matcher } from '../name-pattern.ts'
import type { FlavorRow } from './flavor.ts'

interface AccessRow {
  flavor_id: string
  project_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_flavors: FlavorRow
    compute_flavor_access: AccessRow
  }
}

export const flavors = rows<FlavorRow>('compute_flavors', { json: ['extra_specs'], bool: ['is_public', 'disabled'] })
export const flavorAccess = rows<AccessRow>('compute_flavor_access')

/** Public flavors, and those that a project was given access to. */
function usableBy(project: string | undefined) {
  return (eb: AnyBuilder) =>
    eb.or([
      eb('is_public', '=', 1),
      eb(
        'id',
        'in',
        eb
          .selectFrom('compute_flavor_access')
          .select('flavor_id')
          .where('project_id', '=', project ?? ''),
      ),
    ])
}

const named = (pattern: string) => (eb: AnyBuilder) => likeCondition(eb, 'name', pattern)

/** A flavor that the caller may use; throws `NotFound` in Nova's words. */
export async function flavorFor(ctx: Ctx, id: string): Promise<FlavorRow> {
  const options: ListOptions<FlavorRow> = { limit: 1 }
  if (!isAdmin(ctx)) options.also = usableBy(ctx.identity.project_id)
  const [row] = await flavors.list(ctx.db, { id }, options)
  if (row) return row
  throw new NotFound(`Flavor ${id} could not be found.`)
}

export interface FlavorFilter {
  /** Null: public or not. */
  is_public: boolean | null
  min_ram?: number | undefined
  min_disk?: number | undefined
  disabled?: boolean
  /** A pattern. */
  name?: string | undefined
}

export async function listFlavors(
  ctx: Ctx,
  filter: FlavorFilter,
  options: ListOptions<FlavorRow>,
): Promise<FlavorRow[]> {
  const where: Where<FlavorRow> = {
    memory_mb: filter.min_ram === undefined ? undefined : { op: '>=', value: filter.min_ram },
    root_gb: filter.min_disk === undefined ? undefined : { op: '>=', value: filter.min_disk },
    disabled: filter.disabled,
  }
  if (filter.is_public === false) where.is_public = false
  const conditions = [
    ...(filter.is_public === true ? [usableBy(ctx.identity.project_id)] : []),
    ...(filter.name === undefined ? [] : [named(filter.name)]),
  ]
  const matches = filter.name === undefined ? undefined : matcher(filter.name)
  const { limit, ...all } = options
  const found = await flavors.list(ctx.db, where, {
    ...(matches ? all : options),
    ...(conditions.length > 0 && { also: eb => eb.and(conditions.map(condition => condition(eb))) }),
  })
  return matches ? found.filter(({ name }) => matches(name)).slice(0, limit) : found
}
