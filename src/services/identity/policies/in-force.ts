/** Policies of the API in force: those for endpoints of this cloud are rules that it goes by, taken up while it runs. */
import { type Ctx, type Env, perCloud, systemCtx } from '#kernel/context.ts'
import { BadRequest, messageOf } from '#kernel/errors.ts'
import type { Enforcer } from '#kernel/policy/enforcer.ts'
import { parsePolicy } from '#kernel/policy/policy-file.ts'
import type { CheckSource } from '#kernel/policy/rule.ts'
import { type EndpointRow, endpoints, regions } from '../catalog/store.ts'
import { type PolicyAssociation, type PolicyRow, policies, policyAssociations } from './store.ts'

/** Documents of other types are for others to read. */
const types = ['application/json', 'application/yaml', 'application/x-yaml', 'text/yaml']
const subject = 'identity.policies'

/** The region and those above it, nearest first. */
export async function regionsAbove(ctx: Ctx, id: string | null): Promise<string[]> {
  const found: string[] = []
  for (let next = id; next !== null && !found.includes(next); ) {
    found.push(next)
    next = (await regions.find(ctx.db, { id: next }))?.parent_region_id ?? null
  }
  return found
}

/** The policy of the endpoint: its own, that of its service in its region or one above, that of its service. */
export async function policyFor(ctx: Ctx, endpoint: EndpointRow): Promise<PolicyRow | undefined> {
  const service_id = endpoint.service_id
  const above = await regionsAbove(ctx, endpoint.region_id)
  const places: Omit<PolicyAssociation, 'policy_id'>[] = [
    { endpoint_id: endpoint.id, service_id: '', region_id: '' },
    ...above.map(region_id => ({ endpoint_id: '', service_id, region_id })),
    { endpoint_id: '', service_id, region_id: '' },
  ]
  for (const place of places) {
    const found = await policyAssociations.find(ctx.db, { ...place })
    if (found) return policies.find(ctx.db, { id: found.policy_id })
  }
  return undefined
}

async function endpointsHere(ctx: Ctx): Promise<EndpointRow[]> {
  const all = await endpoints.list(ctx.db, {}, { orderBy: [{ column: 'id', direction: 'asc' }] })
  return all.filter(one => one.url.startsWith('%(base)s'))
}

/** The policies for endpoints of this cloud. */
async function policiesHere(ctx: Ctx): Promise<PolicyRow[]> {
  if (!(await policyAssociations.find(ctx.db, {}))) return []
  const found = new Map<string, PolicyRow>()
  for (const endpoint of await endpointsHere(ctx)) {
    const policy = await policyFor(ctx, endpoint)
    if (policy) found.set(policy.id, policy)
  }
  return [...found.values()]
}

/** The rules in them, together. Throws when one cannot be read. */
function rulesIn(found: readonly PolicyRow[]): Record<string, CheckSource> {
  const read = found.filter(({ type }) => types.includes(type)).map(({ id, blob }) => parsePolicy(blob, `policy ${id}`))
  return Object.assign({}, ...read) as Record<string, CheckSource>
}

/** Whether it may come into force here, now or when a nearer one goes; what is for services of others is theirs to judge. */
async function isForHere(ctx: Ctx, policy_id: string): Promise<boolean> {
  const places = await policyAssociations.list(ctx.db, { policy_id })
  if (places.length === 0) return false
  const own = await endpointsHere(ctx)
  return own.some(({ id, service_id }) => places.some(one => one.endpoint_id === id || one.service_id === service_id))
}

/** Refuses a policy, as it would be, that is for something and that this cloud could not go by: by itself, since others go away, or with them. */
export async function checkRules(ctx: Ctx, policy: PolicyRow): Promise<void> {
  if (!(await isForHere(ctx, policy.id))) return
  const here = (await policiesHere(ctx)).map(one => (one.id === policy.id ? policy : one))
  let wanted: Enforcer
  try {
    ctx.policy.with(rulesIn([policy]))
    wanted = ctx.policy.with(rulesIn(here))
  } catch (error) {
    throw new BadRequest(messageOf(error), { cause: error })
  }
  if (!wanted.allows('identity:update_policy', ctx.identity)) {
    throw new BadRequest(
      'By these rules you could not change policies any more: allow yourself identity:update_policy.',
    )
  }
}

/** One at a time: who read first must not have the last word. */
const turns = perCloud(() => ({ last: Promise.resolve() }))

function takeUp(ctx: Ctx): Promise<void> {
  const turn = turns(ctx)
  turn.last = turn.last.then(async () => {
    try {
      ctx.policy.override(rulesIn(await policiesHere(ctx)))
    } catch (error) {
      ctx.log.error({ err: error }, 'the policies of the API could not be taken up; those of before stay in force')
    }
  })
  return turn.last
}

/** To be called after the transaction of a change, and now and then: a process that lost the message hears the next. */
export async function rulesChanged(ctx: Ctx): Promise<void> {
  await takeUp(ctx)
  ctx.bus.publish(subject, '')
}

/** Takes up what there is, and what comes. */
export async function followRules(env: Env): Promise<AsyncDisposable> {
  const following = env.bus.subscribe(subject, () => void takeUp(systemCtx(env)))
  await takeUp(systemCtx(env))
  return {
    async [Symbol.asyncDispose]() {
      await following[Symbol.asyncDispose]()
      await turns(env).last
    },
  }
}
