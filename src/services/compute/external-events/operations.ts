/** Events of servers that other services tell of: a network changed, a machine was switched off, a volume grew. */
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { adminOrService, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion } from '#kernel/schema/marks.ts'
import { body } from '../dialect.ts'
import { hostAgent } from '../host-agent.ts'
import type { ServerRow } from '../servers/server.ts'
import { listServers } from '../servers/store.ts'

const names = ['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted'] as const
const later = ['volume-extended', 'power-update', 'accelerator-request-bound', 'volume-reimaged'] as const
type EventName = (typeof names)[number] | (typeof later)[number]

/** The names that a version knows: the first ones, and so many of those that came later. */
const known = (more: number) => Type.Unsafe<EventName>({ type: 'string', enum: [...names, ...later.slice(0, more)] })

const fields = {
  name: byVersion(
    { '2.1': known(0), '2.51': known(1), '2.76': known(2), '2.82': known(3), '2.93': known(4) },
    known(4),
  ),
  server_uuid: Type.String({ format: 'uuid' }),
  tag: Type.Optional(Type.String({ maxLength: 255 })),
}
const status = Type.Unsafe<string>({ type: 'string', enum: ['failed', 'completed', 'in-progress'] })
const sent = Type.Object({ ...fields, status: Type.Optional(status) }, { additionalProperties: false })
const answered = Type.Object({ ...fields, status, code: Type.Integer() })
type Sent = Static<typeof sent>

const needTag: readonly EventName[] = ['volume-extended', 'power-update', 'accelerator-request-bound']

/** What servers do about news of them. */
export interface PowerWatcher {
  /** Makes a server's state what its guest is now. */
  follow(ctx: Ctx, host: string, id: string, reason: string): Promise<void>
}

type OnHost = ServerRow & { host: string }

/**
 * What an event leads to. The others need nothing: networks and volumes are asked for what they are whenever a server needs them, so there
 * is no copy to refresh and nobody who waits for the news.
 */
const effects: Partial<
  Record<EventName, (ctx: Ctx, server: OnHost, tag: string, watcher: PowerWatcher) => Promise<void>>
> = {
  'power-update': async (ctx, { host, id }, tag, watcher) => {
    if (tag === 'POWER_ON' || tag === 'POWER_OFF') await watcher.follow(ctx, host, id, `power-update ${tag}`)
    else ctx.log.warn({ server_id: id, tag }, 'a power-update of an unknown state is left alone')
  },
  async 'network-vif-deleted'(ctx, { host, id }, port_id) {
    const ports = (await ctx.services.network.portsOf(ctx, [id])).get(id) ?? []
    if (port_id === '' || ports.some(port => port.id === port_id)) return
    await hostAgent(ctx, host).call('detachNic', { id, port_id }, { request: ctx })
  },
}

/** Done when the answer is on its way; what fails is put right by the next report of the host. */
async function act(ctx: Ctx, server: OnHost, event: Sent, watcher: PowerWatcher): Promise<void> {
  try {
    await effects[event.name]?.(ctx, server, event.tag ?? '', watcher)
  } catch (error) {
    ctx.log.warn({ err: messageOf(error), server_id: server.id, event: event.name }, 'an event could not be acted on')
  }
}

export function externalEventOperations(watcher: PowerWatcher): Operation[] {
  return [
    operation({
      id: 'compute.server_external_events.create',
      method: 'POST',
      path: '/v2.1/os-server-external-events',
      summary: 'Tell of events that servers should know of',
      policy: rule('os_compute_api:os-server-external-events:create', adminOrService),
      request: body('events', Type.Array(sent, { minItems: 1 })),
      response: body('events', Type.Array(answered)),
      async handle(ctx, { body: { events } }) {
        const found = await listServers(ctx, { id: [...new Set(events.map(event => event.server_uuid))] })
        const servers = new Map(found.map(server => [server.id, server]))
        const codes = events.map(event => codeOf(event, servers.get(event.server_uuid)))
        const accepted = events.filter((_, i) => codes[i] === 200)
        for (const event of accepted) {
          ctx.log.info({ server_id: event.server_uuid, event: event.name, tag: event.tag }, 'an event of a server')
          await act(ctx, servers.get(event.server_uuid) as OnHost, event, watcher)
        }
        const answer = events.map((event, i) => ({
          ...event,
          status: codes[i] === 200 ? 'completed' : 'failed',
          code: codes[i]!,
        }))
        return reply({ events: answer }, { status: accepted.length === events.length ? 200 : 207 })
      },
    }),
  ]
}

function codeOf(event: Sent, server: ServerRow | undefined): number {
  if (!server) return 404
  if (needTag.includes(event.name) && event.tag === undefined) return 400
  return server.host === null ? 422 : 200
}
