/** Which role implies which. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict, Forbidden, NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listOf, named, oneOf } from '../answers.ts'
import { collectionOf, linkTo } from '../listing.ts'
import { adminOrSystemReader, adminRequired, identityRule, systemOrProject } from '../policy.ts'
import { identityChanged } from '../revocations/revocation.ts'
import { roleResource } from './operations.ts'
import { withImplied } from './role.ts'
import { impliedRoles, type RoleRow, roles } from './store.ts'

type Pair = { prior_role_id: string; implied_role_id: string }

const path = '/v3/roles/{prior_role_id}/implies/{implied_role_id}'

function roleRef(ctx: Ctx, { id, name, description }: RoleRow) {
  return { id, name, description, links: linkTo(ctx, `roles/${id}`) }
}

function inference(ctx: Ctx, prior: RoleRow, implied: RoleRow) {
  return {
    role_inference: { prior_role: roleRef(ctx, prior), implies: roleRef(ctx, implied) },
    links: linkTo(ctx, `roles/${prior.id}/implies/${implied.id}`),
  }
}

async function findPair(ctx: Ctx, pair: Pair): Promise<{ prior: RoleRow; implied: RoleRow }> {
  const prior = await roleResource.find(ctx, pair.prior_role_id)
  return { prior, implied: await roleResource.find(ctx, pair.implied_role_id) }
}

async function mustImply(ctx: Ctx, pair: Pair): Promise<void> {
  if (await impliedRoles.find(ctx.db, pair)) return
  throw new NotFound(`${pair.prior_role_id} does not imply ${pair.implied_role_id}.`)
}

const create = operation({
  id: 'identity.implied_roles.create',
  method: 'PUT',
  path,
  summary: 'Make a role imply another',
  takes: 'nothing',
  status: 201,
  response: oneOf('role_inference', Type.Object({ prior_role: named, implies: named })),
  policy: identityRule('create_implied_role', adminRequired, systemOrProject),
  async handle(ctx, { params }) {
    const { prior, implied } = await findPair(ctx, params)
    if (implied.name === 'admin') throw new Forbidden(`${implied.id} cannot be an implied roles.`)
    if (implied.domain_id !== null && prior.domain_id === null) {
      throw new Forbidden('Global role cannot imply a domain-specific role')
    }
    await ctx.transaction(async tx => {
      if (await impliedRoles.find(tx.db, params)) return
      await identityChanged(tx)
      if ((await withImplied(tx, [implied.id])).has(prior.id)) {
        throw new Conflict(`Role ${implied.id} already implies role ${prior.id}: they would imply each other.`)
      }
      await impliedRoles.insertNew(tx.db, params)
    })
    return reply(inference(ctx, prior, implied), { status: 201 })
  },
})

const show = operation({
  id: 'identity.implied_roles.show',
  method: 'GET',
  path,
  summary: 'Show that a role implies another',
  response: oneOf('role_inference', Type.Object({ prior_role: named, implies: named })),
  policy: identityRule('get_implied_role', adminOrSystemReader, systemOrProject),
  async handle(ctx, { params, method }) {
    const { prior, implied } = await findPair(ctx, params)
    await mustImply(ctx, params)
    return method === 'HEAD' ? undefined : inference(ctx, prior, implied)
  },
})

const remove = operation({
  id: 'identity.implied_roles.delete',
  method: 'DELETE',
  path,
  summary: 'End that a role implies another',
  policy: identityRule('delete_implied_role', adminRequired, systemOrProject),
  async handle(ctx, { params }) {
    await findPair(ctx, params)
    await ctx.transaction(async tx => {
      await mustImply(tx, params)
      await impliedRoles.remove(tx.db, params)
      await identityChanged(tx)
    })
    return undefined
  },
})

async function impliesOf(ctx: Ctx, prior: RoleRow) {
  const ids = (await impliedRoles.list(ctx.db, { prior_role_id: prior.id })).map(pair => pair.implied_role_id)
  const implied = await roles.list(ctx.db, { id: ids }, { orderBy: [{ column: 'id', direction: 'asc' }] })
  return { prior_role: roleRef(ctx, prior), implies: implied.map(role => roleRef(ctx, role)) }
}

const listOfRole = operation({
  id: 'identity.implied_roles.list',
  method: 'GET',
  path: '/v3/roles/{prior_role_id}/implies',
  summary: 'List what a role implies',
  response: oneOf('role_inference', Type.Object({ prior_role: named, implies: Type.Array(named) })),
  policy: identityRule('list_implied_roles', adminOrSystemReader, systemOrProject),
  async handle(ctx, { params }) {
    const prior = await roleResource.find(ctx, params.prior_role_id)
    return { role_inference: await impliesOf(ctx, prior), links: linkTo(ctx, `roles/${prior.id}/implies`) }
  },
})

const listAll = operation({
  id: 'identity.role_inferences.list',
  method: 'GET',
  path: '/v3/role_inferences',
  summary: 'List every role that implies others',
  response: listOf('role_inferences', Type.Object({ prior_role: named, implies: Type.Array(named) })),
  policy: identityRule('list_role_inference_rules', adminOrSystemReader, systemOrProject),
  async handle(ctx, { url }) {
    const priors = new Set((await impliedRoles.list(ctx.db)).map(pair => pair.prior_role_id))
    const found = await roles.list(ctx.db, { id: [...priors] }, { orderBy: [{ column: 'id', direction: 'asc' }] })
    const role_inferences = []
    for (const prior of found) role_inferences.push(await impliesOf(ctx, prior))
    return { role_inferences, links: collectionOf(ctx, url) }
  },
})

export const impliedRoleRules = [identityRule('check_implied_role', adminOrSystemReader, systemOrProject)]
export const impliedRoleOperations = [create, show, remove, listOfRole, listAll]
