/** Version discovery of the compute API. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { microversions } from '../microversions.ts'
import { extensionOperations } from './extensions.ts'
import { removedOperations } from './removed.ts'

const known = {
  'v2.0': {
    path: 'v2',
    status: 'DEPRECATED',
    version: '',
    min_version: '',
    updated: '2025-07-04T12:00:00Z',
    type: '2',
  },
  'v2.1': {
    path: 'v2.1',
    status: 'CURRENT',
    version: microversions.max,
    min_version: microversions.min,
    updated: '2013-07-23T11:33:21Z',
    type: '2.1',
  },
} as const
type VersionId = keyof typeof known

function summary(ctx: Ctx, id: VersionId) {
  const { path, status, version, min_version, updated } = known[id]
  const links = [{ rel: 'self', href: `${ctx.base}/compute/${path}/` }]
  return { id, status, version, min_version, updated, links }
}

function document(ctx: Ctx, id: VersionId) {
  const short = summary(ctx, id)
  const media = `application/vnd.openstack.compute+json;version=${known[id].type}`
  return {
    version: {
      ...short,
      links: [...short.links, { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' }],
      'media-types': [{ base: 'application/json', type: media }],
    },
  }
}

const documentSchema = Type.Object({ version: Type.Unknown() })

export const versionOperations: Operation[] = [
  operation({
    id: 'compute.versions.list',
    method: 'GET',
    path: '/',
    summary: 'List API versions',
    policy: 'public',
    response: Type.Object({ versions: Type.Array(Type.Unknown()) }),
    handle: async ctx => ({ versions: [summary(ctx, 'v2.0'), summary(ctx, 'v2.1')] }),
  }),
  operation({
    id: 'compute.versions.show',
    method: 'GET',
    path: '/v2.1',
    summary: 'Show version 2.1',
    policy: 'public',
    response: documentSchema,
    handle: async ctx => document(ctx, 'v2.1'),
  }),
  operation({
    id: 'compute.versions.show_legacy',
    method: 'GET',
    path: '/v2',
    summary: 'Show version 2.0',
    policy: 'public',
    response: documentSchema,
    handle: async ctx => document(ctx, 'v2.0'),
  }),
  operation({
    id: 'compute.versions.show_by_id',
    method: 'GET',
    path: '/v2.1/versions/{id}',
    summary: 'Show a version',
    policy: 'public',
    response: documentSchema,
    async handle(ctx, { params }) {
      if (!Object.hasOwn(known, params.id)) throw new NotFound()
      return document(ctx, params.id as VersionId)
    },
  }),
  ...extensionOperations,
  ...removedOperations,
]
