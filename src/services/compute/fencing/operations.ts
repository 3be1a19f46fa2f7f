/** What fencing failed hosts came to, for operators. Not upstream's. */
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { afterMarker, hostName, linksSchema, newestFirst, pageQuery, paging } from '../dialect.ts'
import { fencings } from './store.ts'

const nullable = Type.Union([Type.String(), Type.Null()])

const fencing = Type.Object({
  id: Type.String(),
  host: Type.String(),
  /** `off`: the command said that the host is certainly off. */
  state: Type.Union([Type.Literal('running'), Type.Literal('off'), Type.Literal('failed')]),
  host_seen: Type.String(),
  result: nullable,
  output: nullable,
  created_at: Type.String(),
  ended_at: nullable,
})

const list = operation({
  id: 'compute.fencings.list',
  method: 'GET',
  path: '/v2.1/os-fencings',
  summary: 'List how failed hosts were fenced, the newest first',
  policy: rule('nephos:fencings:list', admin),
  query: Type.Object({ host: Type.Optional(hostName), ...pageQuery }, { additionalProperties: false }),
  response: Type.Object({ fencings: Type.Array(fencing), fencings_links: Type.Optional(linksSchema) }),
  async handle(ctx, { query: { host, limit, marker }, url }) {
    const after = await afterMarker(marker, id => fencings.find(ctx.db, { id }))
    const page = paging(ctx, limit)
    const found = await fencings.list(ctx.db, { host }, { ...newestFirst, ...after, limit: page.limit })
    return { fencings: found, ...page.links('fencings_links', url, found.length, found.at(-1)?.id) }
  },
})

export const fencingOperations: Operation[] = [list]
