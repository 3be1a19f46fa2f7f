/** Which versions of the event API there are. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { servicePath } from './paths.ts'

const version = Type.Object({
  id: Type.String(),
  status: Type.String(),
  links: Type.Array(Type.Object({ rel: Type.String(), href: Type.String() })),
})

export const listVersions = operation({
  id: 'event.versions.list',
  method: 'GET',
  path: '/',
  summary: 'List the versions of the event API',
  policy: 'public',
  response: Type.Object({ versions: Type.Array(version) }),
  handle: async ctx => ({
    versions: [{ id: 'v1', status: 'CURRENT', links: [{ rel: 'self', href: `${ctx.base}${servicePath}/v1/` }] }],
  }),
})
