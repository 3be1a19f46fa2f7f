/** Change a server's name, description, host name, access addresses. */
import { operation } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { description, name } from '../dialect.ts'
import { loadServer } from './access.ts'
import { accessIp, diskConfig, hostname } from './create-schema.ts'
import type { ServerRow } from './server.ts'
import { serverSchema } from './server-schema.ts'
import { updateServer as updateRow } from './store.ts'
import { detailedViews } from './view.ts'

export const updateServer = operation({
  id: 'compute.servers.update',
  method: 'PUT',
  path: '/v2.1/servers/{server_id}',
  summary: 'Update a server',
  policy: rule('os_compute_api:servers:update', projectMemberOrAdmin),
  load: loadServer,
  request: Type.Object(
    {
      server: Type.Object(
        {
          name: Type.Optional(name),
          'OS-DCF:diskConfig': Type.Optional(diskConfig),
          accessIPv4: Type.Optional(accessIp('ipv4')),
          accessIPv6: Type.Optional(accessIp('ipv6')),
          description: since('2.19', description(255)),
          hostname: since('2.90', hostname),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  response: Type.Object({ server: serverSchema }),
  async handle(ctx, { target, body: { server } }) {
    const patch: Partial<ServerRow> = {
      ...(server.name !== undefined && { display_name: server.name }),
      ...(server['OS-DCF:diskConfig'] !== undefined && { disk_config: server['OS-DCF:diskConfig'] }),
      ...(server.accessIPv4 !== undefined && { access_ip_v4: server.accessIPv4 || null }),
      ...(server.accessIPv6 !== undefined && { access_ip_v6: server.accessIPv6 || null }),
      ...(server.description !== undefined && { display_description: server.description }),
      ...(server.hostname !== undefined && { hostname: server.hostname }),
    }
    await ctx.transaction(async tx => {
      await updateRow(tx, target.id, patch)
      await tx.events.emit(tx, 'compute.instance.update', target.id, patch)
    })
    const changed = { ...target, ...patch, updated_at: new Date(ctx.clock.now()).toISOString() }
    const [view] = await detailedViews(ctx, [changed])
    return { server: view as Static<typeof serverSchema> }
  },
})
