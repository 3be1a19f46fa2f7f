/** Version discovery of the compute API. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { microversions } from '../microversions.ts'
import { extensionOperations } from './extensions.ts'
import { removedOperations } from './removed.ts'

function version(ctx: Ctx) {
  return {
    id: 'v2.1',
    status: 'CURRENT',
    version: microversions.max,
    min_version: microversions.min,
    updated: '2013-07-23T11:33:21Z',
    links: [{ rel: 'self', href: `${ctx.base}/compute/v2.1/` }],
  }
}

function document(ctx: Ctx) {
  const known = version(ctx)
  return {
    version: {
      ...known,
      links: [...known.links, { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' }],
      'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' }],
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
    handle: async ctx => ({ versions: [version(ctx)] }),
  }),
  operation({
    id: 'compute.versions.show',
    method: 'GET',
    path: '/v2.1',
    summary: 'Show version 2.1',
    policy: 'public',
    response: documentSchema,
    handle: async ctx => document(ctx),
  }),
  operation({
    id: 'compute.versions.show_by_id',
    method: 'GET',
    path: '/v2.1/versions/{id}',
    summary: 'Show a version',
    policy: 'public',
    response: documentSchema,
    async handle(ctx, { params }) {
      if (params.id !== 'v2.1') throw new NotFound()
      return document(ctx)
    },
  }),
  ...extensionOperations,
  ...removedOperations,
]
