/** Policies of the API in force: those for endpoints of this cloud are rules that it goes by, taken up while it runs. */
import { type Ctx, type Env, perCloud, systemCtx } from '#kernel/context.ts'
import { BadRequest, messageOf } from '#kernel/errors.ts'
import type { Enforcer } from '#kernel/policy/enforcer.ts'
import { parsePolicy } from '#kernel/policy/policy-file.ts'
import { type EndpointRow, endpoints, regions } from '../catalog/store.ts'
import { type DroppedRule, fitting, type Rules } from './fitting.ts'
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

/** The rules in it; none in one of another type. Throws when it cannot be read. */
function rulesIn({ id, type, blob }: PolicyRow): Rules {
  return types.includes(type) ? parsePolicy(blob, `policy ${id}`) : {}
}

/** The rules in them that this cloud can go by: policies were checked when they came, but policy.yaml and the defaults change. */
function fittingRules(ctx: Ctx, found: readonly PolicyRow[]): { rules: Rules; dropped: DroppedRule[] } {
  const dropped: DroppedRule[] = []
  const rules = Object.assign({}, ...found.map(one => readable(one, dropped))) as Rules
  const fit = fitting(ctx.policy, rules)
  return { rules: fit.rules, dropped: [...dropped, ...fit.dropped] }
}

const only = (fit: Rules, rules: Rules): Rules =>
  Object.fromEntries(Object.entries(rules).filter(([name]) => Object.hasOwn(fit, name)))

/** The same, of one that cannot be read none. */
function readable(policy: PolicyRow, dropped: DroppedRule[] = []): Rules {
  try {
    return rulesIn(policy)
  } catch (error) {
    dropped.push({ rule: `all of policy ${policy.id}`, reason: messageOf(error) })
    return {}
  }
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
  const here = await policiesHere(ctx)
  let wanted: Enforcer
  try {
    const own = rulesIn(policy)
    ctx.policy.with(own)
    // What of others does not fit is no fault of this one, which may mend it.
    const others = here.filter(one => one.id !== policy.id)
    const fit = fittingRules(ctx, others).rules
    const inOrder = here.map(one => (one.id === policy.id ? own : only(fit, readable(one))))
    wanted = ctx.policy.with(Object.assign({}, ...inOrder) as Rules)
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
      const { rules, dropped } = fittingRules(ctx, await policiesHere(ctx))
      ctx.policy.override(rules)
      for (const one of dropped)
        ctx.log.error(one, 'a rule of a policy of the API is not in force: change one of the two')
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
