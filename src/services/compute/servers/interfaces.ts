/** Network interfaces of a server: list, show, attach, detach. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Fault, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { journal } from '#kernel/saga/journal.ts'
import { anySaga, type Saga, saga } from '#kernel/saga/saga.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import type { NetworkRequest, ServerPort } from '../../network/contract.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { tellFailure } from '../resource-events.ts'
import { loadServer } from './access.ts'
import { actionSaga, beginAction, requireAllowed, requireHost } from './action.ts'
import { tag } from './create-schema.ts'
import { homeUndo } from './home-undo.ts'
import type { ServerRow, VmState } from './server.ts'
import { callOptions } from './steps.ts'
import { findServer } from './store.ts'

const path = '/v2.1/servers/{server_id}/os-interface'
const uuid = Type.String({ format: 'uuid' })

const attachment = Type.Object({
  port_state: Type.String(),
  port_id: Type.String(),
  net_id: Type.String(),
  mac_addr: Type.String(),
  fixed_ips: Type.Array(Type.Object({ subnet_id: Type.String(), ip_address: Type.String() })),
  tag: since('2.70', Type.Union([Type.String(), Type.Null()])),
})

function view(port: ServerPort): Static<typeof attachment> {
  return {
    port_state: port.status,
    port_id: port.id,
    net_id: port.network_id,
    mac_addr: port.mac_address,
    fixed_ips: port.fixed_ips.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
    tag: port.tag,
  }
}

async function portsOf(ctx: Ctx, id: string): Promise<ServerPort[]> {
  return (await ctx.services.network.portsOf(ctx, [id])).get(id) ?? []
}

async function portOf(ctx: Ctx, server: ServerRow, portId: string): Promise<ServerPort> {
  const port = (await portsOf(ctx, server.id)).find(one => one.id === portId)
  if (!port) throw noPort(server, portId)
  return port
}

const noPort = ({ id }: ServerRow, portId: string) =>
  new NotFound(`Instance ${id} does not have a port with id ${portId}`)

const isOff = ({ vm_state }: Pick<ServerRow, 'vm_state'>) => vm_state === 'stopped'

interface Plugged {
  server_id: string
  host: string
  port_id: string
}

/** Gives the guest the NIC of its server's port, if it has not got it. */
async function plugIn(ctx: Ctx, { server_id: id, host, port_id }: Plugged, signal: AbortSignal): Promise<void> {
  const nics = await ctx.services.network.wire(ctx, id, host, signal)
  const nic = nics.find(one => one.port_id === port_id)
  const server = await findServer(ctx, id)
  // A guest that is off gets its NICs when it starts.
  if (nic && server && !isOff(server)) await hostAgent(ctx, host).call('attachNic', { id, nic }, { signal })
}

/** The host may have given the guest the NIC before it failed, or before its answer was lost. */
const takeBack = homeUndo<Plugged>('take-back-nic', async (ctx, { server_id: id, host, port_id }, server) => {
  if (isOff(server)) return
  const agent = hostAgent(ctx, host)
  try {
    await agent.call('detachNic', { id, port_id }, callOptions(ctx, undefined))
  } catch (error) {
    if (!(error instanceof Fault && error.type === 'GuestError')) throw error
    // Perhaps there is no guest to take it from.
    if ((await agent.call('state', { id }, callOptions(ctx, undefined))) !== powerStates.nostate) throw error
  }
})

/** The host may have taken the NIC, and its answer been lost: what stays the server's the guest gets back. */
const giveBack = homeUndo<Plugged>('give-back-nic', (ctx, plugged) =>
  plugIn(ctx, plugged, new AbortController().signal),
)

const attachSaga = actionSaga<{ port_id: string }>({
  name: 'attach_interface',
  event: 'interface_attach',
  async run(s, { server_id: id, host, body: { port_id } }) {
    const { ctx } = s
    await s.step(
      'attach NIC',
      signal => plugIn(ctx, { server_id: id, host, port_id }, signal),
      async () => {
        await takeBack.run(ctx, { server_id: id, host, port_id })
        await ctx.services.network.releasePort(ctx, id, port_id).catch(ignoreGone)
      },
    )
    return {}
  },
})

const detachSaga = actionSaga<{ port_id: string }>({
  name: 'detach_interface',
  event: 'interface_detach',
  async run(s, { server_id: id, host, body: { port_id } }) {
    const { ctx } = s
    await s.step(
      'detach NIC',
      async signal => {
        const server = await findServer(ctx, id)
        if (server && !isOff(server)) await hostAgent(ctx, host).call('detachNic', { id, port_id }, { signal })
      },
      () => giveBack.run(ctx, { server_id: id, host, port_id }),
    )
    await s.step('release port', () => ctx.services.network.releasePort(ctx, id, port_id).catch(ignoreGone))
    return {}
  },
})

interface UnplugInput {
  server_id: string
  port_id: string
}

/** States in which a guest has its NICs; else it gets those that there are when it starts. */
const plugged: readonly VmState[] = ['active', 'paused', 'rescued', 'resized']

/** Not an action of the server: its port was deleted where ports are. */
const unplugSaga = saga<UnplugInput>(
  'compute.ports.unplug',
  {
    revision: 1,
    deadline: 60 * 60_000,
    failed: (ctx, { server_id }, error) => tellFailure(ctx, 'compute.ports.unplug', server_id, error),
  },
  async (s, { server_id: id, port_id }) => {
    await s.step('detach NIC', async signal => {
      const server = await findServer(s.ctx, id)
      if (!server || server.host === null || !plugged.includes(server.vm_state)) return
      await hostAgent(s.ctx, server.host).call('detachNic', { id, port_id }, callOptions(s.ctx, signal))
    })
  },
)

/** In the transaction that deletes the port. */
export async function beginUnplug(ctx: Ctx, input: UnplugInput): Promise<void> {
  if (await findServer(ctx, input.server_id)) await ctx.sagas.start(ctx, unplugSaga, input, input.server_id)
}

/** Released by an earlier run of the same step. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof NotFound)) throw error
}

const attachBody = Type.Object(
  {
    interfaceAttachment: Type.Object(
      {
        net_id: Type.Optional(uuid),
        port_id: Type.Optional(uuid),
        fixed_ips: Type.Optional(
          Type.Array(Type.Object({ ip_address: Type.String({ format: 'ip' }) }, { additionalProperties: false }), {
            minItems: 1,
            maxItems: 1,
          }),
        ),
        tag: since('2.49', tag),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)

function requestOf({
  net_id,
  port_id,
  fixed_ips,
  tag: named,
}: Static<typeof attachBody>['interfaceAttachment']): NetworkRequest {
  const fixed_ip = fixed_ips?.[0]?.ip_address
  if (net_id !== undefined && port_id !== undefined) throw new BadRequest('Must not input both network_id and port_id')
  if (fixed_ip !== undefined && net_id === undefined) {
    throw new BadRequest('Must input network_id when request IP address')
  }
  if (net_id === undefined && port_id === undefined) return 'auto'
  return [
    {
      ...(net_id !== undefined && { network_id: net_id }),
      ...(port_id !== undefined && { port_id }),
      ...(fixed_ip !== undefined && { fixed_ip }),
      ...(named !== undefined && { tag: named }),
    },
  ]
}

/** Claims the port and starts the saga in one transaction; says which they are. */
async function beginAttach(ctx: Ctx, server: ServerRow, request: NetworkRequest) {
  const host = requireHost(server)
  return ctx.transaction(async tx => {
    const { network } = tx.services
    await network.validate(tx, request, server.project_id)
    const { id: server_id, hostname, project_id } = server
    const owner = { server_id, hostname, project_id, availability_zone: server.availability_zone ?? '' }
    const [port] = await network.claimPorts(tx, owner, request, [])
    if (!port) throw new BadRequest('No network was found that the server could be attached to.')
    await network.bindPorts(tx, server_id, host)
    const event = 'interface_attach'
    const input = { port_id: port.id }
    const sagaId = await beginAction(tx, server, { name: 'attach_interface', event, saga: attachSaga, body: input })
    return { portId: port.id, sagaId }
  })
}

export const interfaceOperations: Operation[] = [
  operation({
    id: 'compute.server_interfaces.list',
    method: 'GET',
    path,
    summary: 'List the network interfaces of a server',
    policy: rule('os_compute_api:os-attach-interfaces:list', projectReaderOrAdmin),
    load: loadServer,
    response: Type.Object({ interfaceAttachments: Type.Array(attachment) }),
    handle: async (ctx, { target }) => ({ interfaceAttachments: (await portsOf(ctx, target.id)).map(view) }),
  }),
  operation({
    id: 'compute.server_interfaces.show',
    method: 'GET',
    path: `${path}/{port_id}`,
    summary: 'Show a network interface of a server',
    policy: rule('os_compute_api:os-attach-interfaces:show', projectReaderOrAdmin),
    load: loadServer,
    response: Type.Object({ interfaceAttachment: attachment }),
    handle: async (ctx, { target, params }) => ({
      interfaceAttachment: view(await portOf(ctx, target, params.port_id)),
    }),
  }),
  operation({
    id: 'compute.server_interfaces.create',
    method: 'POST',
    path,
    summary: 'Attach a network interface to a server',
    policy: rule('os_compute_api:os-attach-interfaces:create', projectMemberOrAdmin),
    load: loadServer,
    request: attachBody,
    response: Type.Object({ interfaceAttachment: attachment }),
    async handle(ctx, { target, params, body: { interfaceAttachment } }) {
      const request = requestOf(interfaceAttachment)
      requireAllowed(ctx, target, 'attach_interface')
      const { portId, sagaId } = await beginAttach(ctx, target, request)
      // Upstream answers when the interface is there; the saga goes on by itself should this process end.
      await ctx.sagas.idle(target.id)
      const port = (await portsOf(ctx, target.id)).find(one => one.id === portId)
      if (port) return { interfaceAttachment: view(port) }
      // A delete wins: then there is nothing to attach to.
      await loadServer(ctx, { params })
      const attaching = await journal.get(ctx.db, sagaId)
      // Or it was attached, and somebody else has taken it away since.
      if (attaching?.state !== 'failed') throw noPort(target, portId)
      if (attaching.error?.cancelled)
        throw new Conflict(`Instance ${target.id} was taken from its host meanwhile: attach the interface again.`)
      throw new Fault(500, 'Internal Server Error', `Failed to attach network adapter device to ${target.id}`)
    },
  }),
  operation({
    id: 'compute.server_interfaces.delete',
    method: 'DELETE',
    path: `${path}/{port_id}`,
    summary: 'Detach a network interface from a server',
    policy: rule('os_compute_api:os-attach-interfaces:delete', projectMemberOrAdmin),
    load: loadServer,
    async handle(ctx, { target, params: { port_id } }) {
      requireAllowed(ctx, target, 'detach_interface')
      await portOf(ctx, target, port_id)
      const event = 'interface_detach'
      const input = { port_id }
      await beginAction(ctx, target, { name: 'detach_interface', event, saga: detachSaga, body: input })
      return reply(undefined, { status: 202 })
    },
  }),
]

export const interfaceSagas: Saga[] = [
  ...[anySaga(attachSaga), anySaga(detachSaga), anySaga(unplugSaga)],
  ...[takeBack.saga, giveBack.saga],
]
