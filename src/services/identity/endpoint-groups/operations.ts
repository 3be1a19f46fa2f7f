/** Endpoint groups, and the endpoints and groups of projects. */
import type { Ctx } from '#kernel/context.ts'
import type { Rows, Where } from '#kernel/db/rows.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, projectAnswer, texts } from '../answers.ts'
import { endpointAnswer, endpointView } from '../catalog/catalog.ts'
import { endpoints } from '../catalog/store.ts'
import { conflict, expecting, notFound } from '../faults.ts'
import { collectionOf, linkTo } from '../listing.ts'
import { adminOrSystemReader, adminRequired, identityRule, ofOperators, systemOrProject } from '../policy.ts'
import { findProject, projectView } from '../projects/project.ts'
import { projects } from '../projects/store.ts'
import { resource, type Values } from '../resource.ts'
import { identityChanged } from '../revocations/revocation.ts'
import { endpointsOfProject, inGroup } from './endpoint-group.ts'
import { type EndpointGroupRow, endpointGroups, projectEndpointGroups, projectEndpoints } from './store.ts'

function checkFilters({ filters }: Values): void {
  if (filters === undefined) return
  const known = ['service_id', 'region_id', 'interface']
  if (!Object.keys(filters as object).every(name => known.includes(name))) {
    throw expecting(known.join(' or '), 'endpoint_group')
  }
}

function groupView(ctx: Ctx, { extra, id, name, description, filters }: EndpointGroupRow) {
  return { ...extra, id, name, description, filters, links: linkTo(ctx, `OS-EP-FILTER/endpoint_groups/${id}`) }
}

const endpointGroupAnswer = Type.Object({
  ...texts('id', 'name', 'description'),
  ...{ filters: Type.Record(Type.String(), Type.Unknown()), links: linksAnswer },
})

export const endpointGroupResource = resource<EndpointGroupRow>({
  member: 'endpoint_group',
  collection: 'endpoint_groups',
  extension: 'OS-EP-FILTER',
  store: endpointGroups,
  attributes: {
    name: Type.String({ minLength: 1, maxLength: 255 }),
    description: Type.Union([Type.String(), Type.Null()]),
    filters: Type.Object({
      interface: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('internal'), Type.Literal('admin')])),
      service_id: Type.Optional(Type.String()),
      region_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    }),
  },
  required: ['name', 'filters'],
  filters: ['name'],
  policy: ofOperators,
  view: groupView,
  duplicate: values => `Duplicate ID, ${values.id}`,
  async create(ctx, values, extra) {
    const filters = values.filters as EndpointGroupRow['filters']
    if (Object.keys(filters).length === 0) throw new BadRequest('filters field is required and cannot be empty')
    checkFilters(values)
    const row: EndpointGroupRow = {
      description: null,
      ...(values as Partial<EndpointGroupRow>),
      id: ctx.ids.hex(),
      name: String(values.name),
      filters,
      extra,
    }
    await endpointGroups.insert(ctx.db, row)
    return row
  },
  async update(_ctx, _row, patch) {
    checkFilters(patch)
    return patch as Partial<EndpointGroupRow>
  },
  async remove(ctx, { id }) {
    await projectEndpointGroups.remove(ctx.db, { endpoint_group_id: id })
  },
})

const change = (name: string) => identityRule(name, adminRequired, systemOrProject)
const look = (name: string) => identityRule(name, adminOrSystemReader, systemOrProject)
const byId = { orderBy: [{ column: 'id' as const, direction: 'asc' as const }] }

async function mustHaveEndpoint(ctx: Ctx, id: string): Promise<void> {
  if (!(await endpoints.find(ctx.db, { id }))) throw notFound('endpoint', id)
}

interface EndpointPlace {
  project_id: string
  endpoint_id: string
}

const endpointPath = '/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}'
const notInProject = ({ project_id, endpoint_id }: EndpointPlace) =>
  new NotFound(`Endpoint ${endpoint_id} not found in project ${project_id}`)

async function checkEndpointPlace(ctx: Ctx, { project_id, endpoint_id }: EndpointPlace): Promise<void> {
  await mustHaveEndpoint(ctx, endpoint_id)
  await findProject(ctx, project_id)
}

interface Held<Place> {
  id: string
  path: string
  /** `an endpoint` */
  what: string
  /** `endpoint`, as in the names of the rules. */
  rule: string
  store: Rows<Place>
  check(ctx: Ctx, place: Place): Promise<void>
  missing(place: Place): NotFound
}

/** Holding a project to something, and no longer. */
function holding<Place extends object>({ id, path, what, rule, store, check, missing }: Held<Place>): Operation[] {
  const placeIn = (params: object) => params as Place & Where<Place>
  return [
    operation({
      id: `identity.${id}.add`,
      method: 'PUT',
      path,
      summary: `Add ${what} to those that a project is held to`,
      status: 204,
      policy: change(`add_${rule}_to_project`),
      async handle(ctx, { params }) {
        const place = placeIn(params)
        await check(ctx, place)
        await ctx.transaction(async tx => {
          if (!(await store.insertNew(tx.db, place))) throw conflict(`project_${rule}`, 'Duplicate entry')
          await identityChanged(tx)
        })
        return undefined
      },
    }),
    operation({
      id: `identity.${id}.remove`,
      method: 'DELETE',
      path,
      summary: `Remove ${what} from those that a project is held to`,
      policy: change(`remove_${rule}_from_project`),
      async handle(ctx, { params }) {
        const place = placeIn(params)
        await ctx.transaction(async tx => {
          if ((await store.remove(tx.db, place)) === 0) throw missing(place)
          await identityChanged(tx)
        })
        return undefined
      },
    }),
  ]
}

const projectEndpointOperations: Operation[] = [
  ...holding({
    ...{ id: 'project_endpoints', path: endpointPath, what: 'an endpoint', rule: 'endpoint' },
    ...{ store: projectEndpoints, check: checkEndpointPlace, missing: notInProject },
  }),
  operation({
    id: 'identity.project_endpoints.check',
    method: 'GET',
    path: endpointPath,
    summary: 'Say whether a project is held to an endpoint',
    status: 204,
    policy: look('check_endpoint_in_project'),
    async handle(ctx, { params }) {
      await checkEndpointPlace(ctx, params)
      if (!(await projectEndpoints.find(ctx.db, params))) throw notInProject(params)
      return reply(undefined, { status: 204 })
    },
  }),
  operation({
    id: 'identity.project_endpoints.list',
    method: 'GET',
    path: '/v3/OS-EP-FILTER/projects/{project_id}/endpoints',
    summary: 'List the endpoints that a project is held to',
    response: listOf('endpoints', endpointAnswer),
    policy: look('list_endpoints_for_project'),
    async handle(ctx, { params: { project_id }, url }) {
      await findProject(ctx, project_id)
      const ids = [...((await endpointsOfProject(ctx, project_id)) ?? [])]
      const found = await endpoints.list(ctx.db, { id: ids }, byId)
      return { endpoints: found.map(one => endpointView(ctx, one)), links: collectionOf(ctx, url) }
    },
  }),
  operation({
    id: 'identity.project_endpoints.list_projects',
    method: 'GET',
    path: '/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects',
    summary: 'List the projects that are held to an endpoint',
    response: listOf('projects', projectAnswer),
    policy: look('list_projects_for_endpoint'),
    async handle(ctx, { params: { endpoint_id }, url }) {
      await mustHaveEndpoint(ctx, endpoint_id)
      const ids = (await projectEndpoints.list(ctx.db, { endpoint_id })).map(one => one.project_id)
      const found = await projects.list(ctx.db, { id: ids }, byId)
      return { projects: found.map(one => projectView(ctx, one)), links: collectionOf(ctx, url) }
    },
  }),
]

const groupPath = '/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}'

interface GroupPlace {
  endpoint_group_id: string
  project_id: string
}

const noGroupInProject = ({ endpoint_group_id, project_id }: GroupPlace) =>
  new NotFound(`Endpoint Group Project Association not found: ${endpoint_group_id} in ${project_id}`)

async function checkGroupPlace(ctx: Ctx, { endpoint_group_id, project_id }: GroupPlace): Promise<void> {
  await findProject(ctx, project_id)
  await endpointGroupResource.find(ctx, endpoint_group_id)
}

const projectGroupOperations: Operation[] = [
  ...holding({
    ...{ id: 'project_endpoint_groups', path: groupPath, what: 'an endpoint group', rule: 'endpoint_group' },
    ...{ store: projectEndpointGroups, check: checkGroupPlace, missing: noGroupInProject },
  }),
  operation({
    id: 'identity.project_endpoint_groups.show',
    method: 'GET',
    path: groupPath,
    summary: 'Say whether a project is held to an endpoint group',
    response: oneOf(
      'project_endpoint_group',
      Type.Object({ ...texts('endpoint_group_id', 'project_id'), links: Type.Optional(linksAnswer) }),
    ),
    policy: look('get_endpoint_group_in_project'),
    async handle(ctx, { params }) {
      await checkGroupPlace(ctx, params)
      if (!(await projectEndpointGroups.find(ctx.db, params))) throw noGroupInProject(params)
      const { endpoint_group_id, project_id } = params
      const links = linkTo(ctx, `OS-EP-FILTER/endpoint_groups/${endpoint_group_id}/projects/${project_id}`)
      return { project_endpoint_group: { endpoint_group_id, project_id, links } }
    },
  }),
  operation({
    id: 'identity.project_endpoint_groups.list',
    method: 'GET',
    path: '/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups',
    summary: 'List the endpoint groups that a project is held to',
    response: listOf('endpoint_groups', endpointGroupAnswer),
    policy: look('list_endpoint_groups_for_project'),
    async handle(ctx, { params: { project_id }, url }) {
      const ids = (await projectEndpointGroups.list(ctx.db, { project_id })).map(one => one.endpoint_group_id)
      const found = await endpointGroups.list(ctx.db, { id: ids }, byId)
      return { endpoint_groups: found.map(one => groupView(ctx, one)), links: collectionOf(ctx, url) }
    },
  }),
  operation({
    id: 'identity.endpoint_groups.list_projects',
    method: 'GET',
    path: '/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects',
    summary: 'List the projects that are held to an endpoint group',
    response: listOf('projects', projectAnswer),
    policy: look('list_projects_associated_with_endpoint_group'),
    async handle(ctx, { params: { endpoint_group_id }, url }) {
      await endpointGroupResource.find(ctx, endpoint_group_id)
      const ids = (await projectEndpointGroups.list(ctx.db, { endpoint_group_id })).map(one => one.project_id)
      const found = await projects.list(ctx.db, { id: ids }, byId)
      return { projects: found.map(one => projectView(ctx, one)), links: collectionOf(ctx, url) }
    },
  }),
  operation({
    id: 'identity.endpoint_groups.list_endpoints',
    method: 'GET',
    path: '/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints',
    summary: 'List the endpoints of an endpoint group',
    response: listOf('endpoints', endpointAnswer),
    policy: look('list_endpoints_associated_with_endpoint_group'),
    async handle(ctx, { params: { endpoint_group_id }, url }) {
      const group = await endpointGroupResource.find(ctx, endpoint_group_id)
      const found = (await endpoints.list(ctx.db, {}, byId)).filter(one => inGroup(group, one))
      return { endpoints: found.map(one => endpointView(ctx, one)), links: collectionOf(ctx, url) }
    },
  }),
]

export const endpointGroupOperations: Operation[] = [
  ...endpointGroupResource.operations,
  ...projectEndpointOperations,
  ...projectGroupOperations,
]
