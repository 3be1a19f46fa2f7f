/** Extra specs of a flavor: what it asks of a host or a guest beyond sizes. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body, metadata } from '../dialect.ts'
import { checkExtraSpec } from './extra-spec-rules.ts'
import { extraSpecsIndex } from './flavor.ts'
import { flavorFor, flavors } from './store.ts'

const path = '/v2.1/flavors/{flavor_id}/os-extra_specs'
const sent = metadata(Type.Unsafe<string | number>({ type: ['string', 'number'], maxLength: 255 }))
const kept = metadata(Type.String({ maxLength: 255 }))

/** Numbers are kept as text. From 2.86 on, known extra specs must make sense. */
function checked(ctx: Ctx, specs: Record<string, string | number>): Record<string, string> {
  const known = ctx.services.placement.standardNames
  const texts = Object.entries(specs).map(([key, value]): [string, string] => [key, String(value)])
  for (const [name, value] of texts) {
    if (value.length > 255)
      throw new BadRequest('Invalid input received: extra_specs value has more than 255 characters.')
    if (ctx.atLeast('2.86')) checkExtraSpec(name, value, known)
  }
  return Object.fromEntries(texts)
}

async function change(ctx: Ctx, id: string, edit: (specs: Record<string, string>) => Record<string, string>) {
  await ctx.transaction(async tx => {
    const row = await flavorFor(tx, id)
    await flavors.update(tx.db, { id }, { extra_specs: edit(row.extra_specs) })
  })
}

function missing(id: string, key: string): NotFound {
  return new NotFound(`Flavor ${id} has no extra specs with key ${key}.`)
}

export const extraSpecOperations: Operation[] = [
  operation({
    id: 'compute.flavor_extra_specs.list',
    method: 'GET',
    path,
    summary: "List a flavor's extra specs",
    policy: extraSpecsIndex,
    response: body('extra_specs', kept),
    handle: async (ctx, { params }) => ({ extra_specs: (await flavorFor(ctx, params.flavor_id)).extra_specs }),
  }),
  operation({
    id: 'compute.flavor_extra_specs.create',
    method: 'POST',
    path,
    summary: 'Add extra specs to a flavor',
    policy: rule('os_compute_api:os-flavor-extra-specs:create', admin),
    request: body('extra_specs', sent),
    response: body('extra_specs', sent),
    async handle(ctx, { params, body: asked }) {
      const added = checked(ctx, asked.extra_specs)
      await change(ctx, params.flavor_id, specs => ({ ...specs, ...added }))
      return asked
    },
  }),
  operation({
    id: 'compute.flavor_extra_specs.show',
    method: 'GET',
    path: `${path}/{key}`,
    summary: 'Show an extra spec',
    policy: rule('os_compute_api:os-flavor-extra-specs:show', projectReaderOrAdmin),
    response: kept,
    async handle(ctx, { params }) {
      const value = (await flavorFor(ctx, params.flavor_id)).extra_specs[params.key]
      if (value === undefined) throw missing(params.flavor_id, params.key)
      return { [params.key]: value }
    },
  }),
  operation({
    id: 'compute.flavor_extra_specs.update',
    method: 'PUT',
    path: `${path}/{key}`,
    summary: 'Change an extra spec',
    policy: rule('os_compute_api:os-flavor-extra-specs:update', admin),
    request: Type.Unsafe<Record<string, string | number>>({ ...sent, minProperties: 1, maxProperties: 1 }),
    response: sent,
    async handle(ctx, { params, body: asked }) {
      const added = checked(ctx, asked)
      if (!Object.hasOwn(asked, params.key)) throw new BadRequest('Request body and URI mismatch')
      await change(ctx, params.flavor_id, specs => ({ ...specs, ...added }))
      return asked
    },
  }),
  operation({
    id: 'compute.flavor_extra_specs.delete',
    method: 'DELETE',
    path: `${path}/{key}`,
    summary: 'Remove an extra spec',
    status: 200,
    policy: rule('os_compute_api:os-flavor-extra-specs:delete', admin),
    async handle(ctx, { params }) {
      await change(ctx, params.flavor_id, ({ [params.key]: gone, ...rest }) => {
        if (gone === undefined) throw missing(params.flavor_id, params.key)
        return rest
      })
      return undefined
    },
  }),
]
