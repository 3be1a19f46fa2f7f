/** Change a server's name, description, host name, access addresses, pinned zone. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { description, name } from '../dialect.ts'
import { tell } from '../events.ts'
import { loadServer } from './access.ts'
import { accessIp, diskConfig, hostname, keptIp } from './create-schema.ts'
import type { ServerRow } from './server.ts'
import { changedSchema } from './server-schema.ts'
import { updateServer as updateRow } from './store.ts'
import { requestSpecOf, updateRequestSpec } from './store-asked.ts'
import { changedView } from './view.ts'

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
          pinned_availability_zone: since('2.104', Type.Union([name, Type.Null()])),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  response: Type.Object({ server: changedSchema }),
  async handle(ctx, { target, body: { server } }) {
    const patch: Partial<ServerRow> = {
      ...(server.name !== undefined && { display_name: server.name }),
      ...(server['OS-DCF:diskConfig'] !== undefined && { disk_config: server['OS-DCF:diskConfig'] }),
      ...(server.accessIPv4 !== undefined && { access_ip_v4: keptIp(server.accessIPv4) }),
      ...(server.accessIPv6 !== undefined && { access_ip_v6: keptIp(server.accessIPv6) }),
      ...(server.description !== undefined && { display_description: server.description }),
      ...(server.hostname !== undefined && { hostname: server.hostname }),
    }
    await ctx.transaction(async tx => {
      if (server.pinned_availability_zone !== undefined) await pin(tx, target, server.pinned_availability_zone)
      await updateRow(tx, target.id, patch)
      const old = patch.display_name === undefined ? {} : { display_name: target.display_name }
      await tell(tx, target.id, 'update', { old })
    })
    const changed = { ...target, ...patch, updated_at: new Date(ctx.clock.now()).toISOString() }
    return { server: (await changedView(ctx, changed)) as Static<typeof changedSchema> }
  },
})

/** A pinned server stays in its zone when it moves. It is pinned to the zone that it is in, and unpinned before it is pinned anew. */
async function pin(ctx: Ctx, { id, availability_zone }: ServerRow, wanted: string | null): Promise<void> {
  const spec = await requestSpecOf(ctx, id)
  if (!spec || wanted === spec.availability_zone) return
  if (wanted !== null && spec.availability_zone !== null)
    throw new Conflict(
      'Cannot change pinned availability zone directly. Unpin first by setting pinned_availability_zone to null.',
    )
  if (wanted !== null && wanted !== availability_zone)
    throw new Conflict(
      `Server can only be pinned to its current availability zone '${availability_zone}', but '${wanted}' was requested.`,
    )
  await updateRequestSpec(ctx, id, { ...spec, availability_zone: wanted })
}
