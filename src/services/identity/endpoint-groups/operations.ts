/** Endpoint groups, and the endpoints and groups of projects. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { endpointView } from '../catalog/catalog.ts'
import { endpoints } from '../catalog/store.ts'
import { conflict, expecting, notFound } from '../faults.ts'
import { collectionOf, linkTo } from '../listing.ts'
import { adminOrSystemReader, adminRequired, identityRule, systemOrProject } from '../policy.ts'
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
  policy: {
    get: adminOrSystemReader,
    list: adminOrSystemReader,
    create: adminRequired,
    update: adminRequired,
    delete: adminRequired,
    scopes: systemOrProject,
  },
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

const projectEndpointOperations: Operation[] = [
  operation({
    id: 'identity.project_endpoints.add',
    method: 'PUT',
    path: endpointPath,
    summary: 'Add an endpoint to those that a project is held to',
    policy: change('add_endpoint_to_project'),
    async handle(ctx, { params }) {
      await checkEndpointPlace(ctx, params)
      await ctx.transaction(async tx => {
        if (await projectEndpoints.find(tx.db, params)) throw conflict('project_endpoint', 'Duplicate entry')
        await projectEndpoints.insert(tx.db, params)
        await identityChanged(tx)
      })
      return undefined
    },
  }),
  operation({
    id: 'identity.project_endpoints.check',
    method: 'GET',
    path: endpointPath,
    summary: 'Say whether a project is held to an endpoint',
    policy: look('check_endpoint_in_project'),
    async handle(ctx, { params }) {
      await checkEndpointPlace(ctx, params)
      if (!(await projectEndpoints.find(ctx.db, params))) throw notInProject(params)
      return reply(undefined, { status: 204 })
    },
  }),
  operation({
    id: 'identity.project_endpoints.remove',
    method: 'DELETE',
    path: endpointPath,
    summary: 'Remove an endpoint from those that a project is held to',
    policy: change('remove_endpoint_from_project'),
    async handle(ctx, { params }) {
      await ctx.transaction(async tx => {
        if ((await projectEndpoints.remove(tx.db, params)) === 0) throw notInProject(params)
        await identityChanged(tx)
      })
      return undefined
    },
  }),
  operation({
    id: 'identity.project_endpoints.list',
    method: 'GET',
    path: '/v3/OS-EP-FILTER/projects/{project_id}/endpoints',
    summary: 'List the endpoints that a project is held to',
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
  operation({
    id: 'identity.project_endpoint_groups.add',
    method: 'PUT',
    path: groupPath,
    summary: 'Add an endpoint group to those that a project is held to',
    policy: change('add_endpoint_group_to_project'),
    async handle(ctx, { params }) {
      await checkGroupPlace(ctx, params)
      await ctx.transaction(async tx => {
        if (await projectEndpointGroups.find(tx.db, params)) {
          throw conflict('project_endpoint_group', 'Duplicate entry')
        }
        await projectEndpointGroups.insert(tx.db, params)
        await identityChanged(tx)
      })
      return undefined
    },
  }),
  operation({
    id: 'identity.project_endpoint_groups.show',
    method: 'GET',
    path: groupPath,
    summary: 'Say whether a project is held to an endpoint group',
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
    id: 'identity.project_endpoint_groups.remove',
    method: 'DELETE',
    path: groupPath,
    summary: 'Remove an endpoint group from those that a project is held to',
    policy: change('remove_endpoint_group_from_project'),
    async handle(ctx, { params }) {
      await checkGroupPlace(ctx, params)
      await ctx.transaction(async tx => {
        if ((await projectEndpointGroups.remove(tx.db, params)) === 0) throw noGroupInProject(params)
        await identityChanged(tx)
      })
      return undefined
    },
  }),
  operation({
    id: 'identity.project_endpoint_groups.list',
    method: 'GET',
    path: '/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups',
    summary: 'List the endpoint groups that a project is held to',
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
