/** A flavor: its row, and how it reads in the API. */
import type { Ctx } from '#kernel/context.ts'
import { projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion, since, until } from '#kernel/schema/marks.ts'
import { linksSchema, resourceLinks } from '../dialect.ts'

export interface FlavorRow {
  /** What the API calls the id: any short text. */
  id: string
  name: string
  memory_mb: number
  vcpus: number
  root_gb: number
  ephemeral_gb: number
  /** MiB. */
  swap: number
  rxtx_factor: number
  is_public: boolean
  disabled: boolean
  description: string | null
  extra_specs: Record<string, string>
  created_at: string
  updated_at: string | null
}

export const extraSpecsIndex = rule('os_compute_api:os-flavor-extra-specs:index', projectReaderOrAdmin, {
  description: "See flavors' extra specs.",
})

export const flavorSummary = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: since('2.55', Type.Union([Type.String(), Type.Null()])),
  links: linksSchema,
})

const swap = Type.Unsafe<number | ''>({ anyOf: [{ type: 'integer' }, { const: '' }] })

export const flavorDetail = Type.Object({
  id: Type.String(),
  name: Type.String(),
  ram: Type.Integer(),
  disk: Type.Integer(),
  swap: byVersion({ '2.1': swap, '2.75': Type.Integer() }, swap),
  'OS-FLV-EXT-DATA:ephemeral': Type.Integer(),
  'OS-FLV-DISABLED:disabled': until('2.101', Type.Boolean()),
  vcpus: Type.Integer(),
  'os-flavor-access:is_public': Type.Boolean(),
  rxtx_factor: until('2.101', Type.Number()),
  description: since('2.55', Type.Union([Type.String(), Type.Null()])),
  extra_specs: since('2.61', Type.Record(Type.String(), Type.String())),
  links: linksSchema,
})

export function summaryView(ctx: Ctx, row: FlavorRow): Static<typeof flavorSummary> {
  const links = resourceLinks(ctx, `flavors/${encodeURIComponent(row.id)}`)
  return { id: row.id, name: row.name, description: row.description, links }
}

export function detailView(ctx: Ctx, row: FlavorRow): Static<typeof flavorDetail> {
  return {
    ...summaryView(ctx, row),
    ram: row.memory_mb,
    disk: row.root_gb,
    // Before 2.75 no swap was written as empty text.
    swap: row.swap || (ctx.atLeast('2.75') ? 0 : ''),
    'OS-FLV-EXT-DATA:ephemeral': row.ephemeral_gb,
    'OS-FLV-DISABLED:disabled': row.disabled,
    vcpus: row.vcpus,
    'os-flavor-access:is_public': row.is_public,
    rxtx_factor: row.rxtx_factor,
    ...(ctx.can(extraSpecsIndex) && { extra_specs: row.extra_specs }),
  }
}
