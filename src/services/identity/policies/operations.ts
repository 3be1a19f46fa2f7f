/** Policies: documents of any kind for endpoints, found by endpoint, by service, or by service and region. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, texts } from '../answers.ts'
import { endpointAnswer, endpointView } from '../catalog/catalog.ts'
import { type EndpointRow, endpoints, regions, services } from '../catalog/store.ts'
import { notFound } from '../faults.ts'
import { collectionOf, linkTo } from '../listing.ts'
import { adminOrSystemReader, adminRequired, identityRule, ofOperators, systemOrProject } from '../policy.ts'
import { resource } from '../resource.ts'
import { identityChanged } from '../revocations/revocation.ts'
import { checkRules, policyFor, regionsAbove, rulesChanged } from './in-force.ts'
import { showPermissions } from './permissions.ts'
import { type PolicyAssociation, type PolicyRow, policies, policyAssociations } from './store.ts'

export const policyResource = resource<PolicyRow>({
  member: 'policy',
  collection: 'policies',
  store: policies,
  attributes: { blob: Type.String({ maxLength: 1_000_000 }), type: Type.String({ maxLength: 255 }) },
  required: ['blob', 'type'],
  filters: ['type'],
  policy: ofOperators,
  view: (ctx, { extra, id, type, blob }) => ({ ...extra, id, type, blob, links: linkTo(ctx, `policies/${id}`) }),
  duplicate: values => `Duplicate ID, ${values.id}`,
  async create(ctx, values, extra) {
    const row: PolicyRow = { id: ctx.ids.hex(), type: String(values.type), blob: String(values.blob), extra }
    await policies.insert(ctx.db, row)
    return row
  },
  async update(ctx, row, patch) {
    const changed = patch as Partial<PolicyRow>
    await checkRules(ctx, { ...row, ...changed })
    return changed
  },
  async remove(ctx, { id }) {
    await policyAssociations.remove(ctx.db, { policy_id: id })
  },
})

type Place = Omit<PolicyAssociation, 'policy_id'>

const stores = { endpoint: endpoints, service: services, region: regions }

/** What the path names must be there. */
async function placeOf(ctx: Ctx, params: Record<string, string>): Promise<PolicyAssociation> {
  await policyResource.find(ctx, params.policy_id!)
  const place: Place = { endpoint_id: '', service_id: '', region_id: '' }
  for (const kind of ['endpoint', 'service', 'region'] as const) {
    const id = params[`${kind}_id`]
    if (id === undefined) continue
    if (!(await stores[kind].find(ctx.db, { id }))) throw notFound(kind, id)
    place[`${kind}_id`] = id
  }
  return { policy_id: params.policy_id!, ...place }
}

const noAssociation = () => new NotFound('Could not find policy association.')
const base = '/v3/policies/{policy_id}/OS-ENDPOINT-POLICY'

function associationOperations(kind: string, what: string, path: `${typeof base}/${string}`): Operation[] {
  const rule = (verb: string) => {
    const check = verb === 'check' ? adminOrSystemReader : adminRequired
    return identityRule(`${verb}_policy_association_for_${kind}`, check, systemOrProject)
  }
  const id = `identity.policy_associations.${kind}`
  return [
    operation({
      id: `${id}_create`,
      method: 'PUT',
      path,
      summary: `Say that a policy is for ${what}`,
      status: 204,
      policy: rule('create'),
      async handle(ctx, { params }) {
        await ctx.transaction(async tx => {
          // Changes of policies wait for each other here: each is checked with those before.
          await identityChanged(tx)
          const { policy_id, ...place } = await placeOf(tx, params)
          if ((await policyAssociations.update(tx.db, place, { policy_id })) === 0) {
            await policyAssociations.insert(tx.db, { policy_id, ...place })
          }
          await checkRules(tx, await policyResource.find(tx, policy_id))
        })
        return undefined
      },
    }),
    operation({
      id: `${id}_check`,
      method: 'GET',
      path,
      summary: `Say whether a policy is for ${what}`,
      status: 204,
      policy: rule('check'),
      async handle(ctx, { params }) {
        const place = await placeOf(ctx, params)
        if (!(await policyAssociations.find(ctx.db, { ...place }))) throw noAssociation()
        return reply(undefined, { status: 204 })
      },
    }),
    operation({
      id: `${id}_delete`,
      method: 'DELETE',
      path,
      summary: `End that a policy is for ${what}`,
      policy: rule('delete'),
      async handle(ctx, { params }) {
        const place = await placeOf(ctx, params)
        if ((await policyAssociations.remove(ctx.db, { ...place })) === 0) throw noAssociation()
        return undefined
      },
    }),
  ]
}

const showForEndpoint = operation({
  id: 'identity.endpoints.show_policy',
  method: 'GET',
  path: '/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy',
  summary: 'Show the policy that is for an endpoint',
  response: oneOf('policy', Type.Object({ ...texts('id', 'type', 'blob'), links: Type.Optional(linksAnswer) })),
  policy: identityRule('get_policy_for_endpoint', adminOrSystemReader, systemOrProject),
  async handle(ctx, { params: { endpoint_id } }) {
    const endpoint = await endpoints.find(ctx.db, { id: endpoint_id })
    if (!endpoint) throw notFound('endpoint', endpoint_id)
    const policy = await policyFor(ctx, endpoint)
    if (!policy) throw new NotFound(`No policy is associated with endpoint ${endpoint_id}.`)
    const { extra, id, type, blob } = policy
    return { policy: { ...extra, id, type, blob, links: linkTo(ctx, `policies/${id}`) } }
  },
})

/** Whether the association means the endpoint, whose region has those regions above it. */
function means(one: PolicyAssociation, endpoint: EndpointRow, above: readonly string[]): boolean {
  if (one.endpoint_id !== '') return one.endpoint_id === endpoint.id
  return one.service_id === endpoint.service_id && (one.region_id === '' || above.includes(one.region_id))
}

const listEndpoints = operation({
  id: 'identity.policies.list_endpoints',
  method: 'GET',
  path: `${base}/endpoints`,
  summary: 'List the endpoints that a policy is for',
  response: listOf('endpoints', endpointAnswer),
  policy: identityRule('list_endpoints_for_policy', adminOrSystemReader, systemOrProject),
  async handle(ctx, { params: { policy_id }, url }) {
    await policyResource.find(ctx, policy_id)
    const all = await policyAssociations.list(ctx.db, { policy_id })
    const found: EndpointRow[] = []
    for (const endpoint of await endpoints.list(ctx.db, {}, { orderBy: [{ column: 'id', direction: 'asc' }] })) {
      const above = await regionsAbove(ctx, endpoint.region_id)
      if (all.some(one => means(one, endpoint, above))) found.push(endpoint)
    }
    return { endpoints: found.map(one => endpointView(ctx, one)), links: collectionOf(ctx, url) }
  },
})

/** What may change the rules of this cloud has done so when it is answered. */
function takenUp(operation: Operation): Operation {
  if (operation.method === 'GET') return operation
  return {
    ...operation,
    async handle(ctx, request) {
      const answer = await operation.handle(ctx, request)
      await rulesChanged(ctx)
      return answer
    },
  }
}

const all: Operation[] = [
  ...policyResource.operations,
  ...associationOperations('endpoint', 'an endpoint', `${base}/endpoints/{endpoint_id}`),
  ...associationOperations('service', 'a service', `${base}/services/{service_id}`),
  ...associationOperations(
    'region_and_service',
    'a service in a region',
    `${base}/services/{service_id}/regions/{region_id}`,
  ),
  listEndpoints,
  showForEndpoint,
]

export const policyOperations: Operation[] = [...all.map(takenUp), showPermissions]
