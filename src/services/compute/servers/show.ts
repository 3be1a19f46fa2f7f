/** Show a server. */

import { operation } from '#kernel/operation.ts'
import { projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import type { Static } from '#kernel/schema/builders.ts'
import { Type } from '#kernel/schema/builders.ts'
import { groupsOf } from '../server-groups/store.ts'
import { loadServer } from './access.ts'
import { serverSchema } from './server-schema.ts'
import { detailedViews } from './view.ts'

export const showServer = operation({
  id: 'compute.servers.show',
  method: 'GET',
  path: '/v2.1/servers/{server_id}',
  summary: 'Show a server',
  policy: rule('os_compute_api:servers:show', projectReaderOrAdmin),
  load: loadServer,
  response: Type.Object({ server: serverSchema }),
  async handle(ctx, { target }) {
    const [server] = await detailedViews(ctx, [target])
    const server_groups = ctx.atLeast('2.71') ? await groupsOf(ctx, target.id) : []
    return { server: { ...server, server_groups } as Static<typeof serverSchema> }
  },
})
