/** Version discovery of the identity API. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { oneOf } from './answers.ts'
import { jsonHome, wantsJsonHome } from './json-home.ts'

function version(ctx: Ctx) {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${ctx.base}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  }
}

const asHome = { headers: { 'content-type': 'application/json-home' } }

/** The operations of discovery; `resources` are those that JSON home tells of. */
export function versionOperations(resources: readonly Operation[]): Operation[] {
  const list = operation({
    id: 'identity.versions.list',
    method: 'GET',
    path: '/',
    summary: 'List API versions',
    response: Type.Union([
      oneOf('versions', Type.Object({ values: Type.Array(Type.Object({ id: Type.String(), status: Type.String() })) })),
      oneOf('resources', Type.Unknown()),
    ]),
    policy: 'public',
    async handle(ctx, { headers }) {
      if (wantsJsonHome(headers.accept)) return reply(jsonHome(resources, '/v3'), asHome)
      return reply({ versions: { values: [version(ctx)] } }, { status: 300 })
    },
  })
  const show = operation({
    id: 'identity.versions.show',
    method: 'GET',
    path: '/v3',
    summary: 'Show version 3',
    policy: 'public',
    response: Type.Union([oneOf('version', Type.Unknown()), oneOf('resources', Type.Unknown())]),
    async handle(ctx, { headers }) {
      if (wantsJsonHome(headers.accept)) return reply(jsonHome(resources), asHome)
      return { version: version(ctx) }
    },
  })
  return [list, show]
}
