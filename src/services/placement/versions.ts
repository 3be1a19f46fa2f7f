/** The root of the placement API: which versions there are. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { dated } from './dialect.ts'

export const minVersion = '1.0'
export const maxVersion = '1.39'

export const listVersions = operation({
  id: 'placement.versions.list',
  method: 'GET',
  path: '/',
  summary: 'List API versions',
  policy: 'public',
  response: Type.Object({ versions: Type.Array(Type.Unknown()) }),
  handle: async ctx =>
    dated(ctx, {
      versions: [
        {
          id: 'v1.0',
          min_version: minVersion,
          max_version: maxVersion,
          status: 'CURRENT',
          links: [{ rel: 'self', href: '' }],
        },
      ],
    }),
})
