/** Version discovery of the identity API. */

import type { Ctx } from '#kernel/context.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'

function version(ctx: Ctx) {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${ctx.base}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  }
}

export const listVersions = operation({
  id: 'identity.versions.list',
  method: 'GET',
  path: '/',
  summary: 'List API versions',
  policy: 'public',
  response: Type.Object({ versions: Type.Object({ values: Type.Array(Type.Unknown()) }) }),
  handle: async ctx => reply({ versions: { values: [version(ctx)] } }, { status: 300 }),
})

export const showVersion = operation({
  id: 'identity.versions.show',
  method: 'GET',
  path: '/v3',
  summary: 'Show version 3',
  policy: 'public',
  response: Type.Object({ version: Type.Unknown() }),
  handle: async ctx => ({ version: version(ctx) }),
})
