/** Extra specs of a flavor: what it asks of a host or a guest beyond sizes. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body, metadata } from '../dialect.ts'
import { extraSpecsIndex } from './flavor.ts'
import { flavorFor, flavors } from './store.ts'

const path = '/v2.1/flavors/{flavor_id}/os-extra_specs'
const sent = metadata(Type.Unsafe<string | number>({ type: ['string', 'number'], maxLength: 255 }))
const kept = metadata(Type.String({ maxLength: 255 }))

/** Numbers are kept as text. */
function texts(specs: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]))
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
      await change(ctx, params.flavor_id, specs => ({ ...specs, ...texts(asked.extra_specs) }))
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
      if (!(params.key in asked)) throw new BadRequest('Request body and URI mismatch')
      await change(ctx, params.flavor_id, specs => ({ ...specs, ...texts(asked) }))
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
