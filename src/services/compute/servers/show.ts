/** Show a server. */
import { operation } from '#kernel/operation.ts'
import { projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import type { Static } from '#kernel/schema/builders.ts'
import { Type } from '#kernel/schema/builders.ts'
import { loadServer } from './access.ts'
import { singleSchema } from './server-schema.ts'
import { singleView } from './view.ts'

export const showServer = operation({
  id: 'compute.servers.show',
  method: 'GET',
  path: '/v2.1/servers/{server_id}',
  summary: 'Show a server',
  policy: rule('os_compute_api:servers:show', projectReaderOrAdmin),
  load: loadServer,
  response: Type.Object({ server: singleSchema }),
  async handle(ctx, { target }) {
    return { server: (await singleView(ctx, target)) as Static<typeof singleSchema> }
  },
})
