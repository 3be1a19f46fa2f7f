/** Version discovery of the image API. */
import type { Ctx } from '#kernel/context.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'

const current = '2.17'
const supported = ['2.16', '2.15', '2.14', '2.13', '2.12', '2.11', '2.10', '2.9', '2.8', '2.7', '2.6', '2.5']
const oldest = ['2.4', '2.3', '2.2', '2.1', '2.0']

function versions(ctx: Ctx) {
  return [current, ...supported, ...oldest].map(version => ({
    id: `v${version}`,
    status: version === current ? 'CURRENT' : 'SUPPORTED',
    links: [{ rel: 'self', href: `${ctx.base}/image/v2/` }],
  }))
}

const response = Type.Object({ versions: Type.Array(Type.Unknown()) })

export const listVersions = operation({
  id: 'image.versions.list',
  method: 'GET',
  path: '/',
  summary: 'List API versions',
  policy: 'public',
  response,
  handle: async ctx => reply({ versions: versions(ctx) }, { status: 300 }),
})

export const showVersions = operation({
  id: 'image.versions.show',
  method: 'GET',
  path: '/versions',
  summary: 'List API versions',
  policy: 'public',
  response,
  handle: async ctx => ({ versions: versions(ctx) }),
})
