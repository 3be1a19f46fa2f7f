/** Keys of metadata that differ by nothing but case, where the configuration wants none of them. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { computeConfig } from './config.ts'

type Items = Readonly<Record<string, string>>

/** Throws for what a change adds to what was `had`. Upstream takes keys of any case, and so does this cloud by default. */
export function checkKeys(ctx: Ctx, changed: Items, had: Items = {}): void {
  if (!ctx.config.of(computeConfig).lowercase_metadata_keys) return
  const keys = Object.keys(changed)
  const capitals = new Map(keys.filter(key => key !== key.toLowerCase()).map(key => [key.toLowerCase(), key]))
  for (const key of keys.filter(one => !Object.hasOwn(had, one))) {
    const lower = key.toLowerCase()
    if (key !== lower) throw new BadRequest(`Metadata keys are in lower case here: use ${lower} instead of ${key}.`)
    const other = capitals.get(key)
    if (other !== undefined)
      throw new BadRequest(`Metadata key ${other} differs from ${key} by case only: delete it first.`)
  }
}
