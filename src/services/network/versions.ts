/** Version discovery of the network API. */
import type { Ctx } from '#kernel/context.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'

export const listVersions = operation({
  id: 'network.versions.list',
  method: 'GET',
  path: '/',
  summary: 'List API versions',
  policy: 'public',
  response: Type.Object({ versions: Type.Array(Type.Unknown()) }),
  handle: async (ctx: Ctx) => ({
    versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${ctx.base}/network/v2.0/` }] }],
  }),
})

/** Every collection of the API, for the list of resources that version 2.0 answers with. */
export function showVersion(collections: { name: string; collection: string }[]) {
  return operation({
    id: 'network.versions.show',
    method: 'GET',
    path: '/v2.0',
    summary: 'Show version 2.0',
    policy: 'public',
    response: Type.Object({ resources: Type.Array(Type.Unknown()) }),
    handle: async (ctx: Ctx) => ({
      resources: collections.map(({ name, collection }) => ({
        links: [{ href: `${ctx.base}/network/v2.0/${collection}`, rel: 'self' }],
        name,
        collection,
      })),
    }),
  })
}
