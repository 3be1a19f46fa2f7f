/** Servers follow their guests: what a host reports is compared with what the database says of it, and the difference is repaired. */
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { journal } from '#kernel/saga/journal.ts'
import type { GuestState, PowerState } from '../drivers/driver.ts'
import { tell } from '../events.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import type { ServerRow } from '../servers/server.ts'
import { faultOf, isUnreachable } from '../servers/steps.ts'
import { deletedServer, findServer, type ServerOnHost, serversOn, updateServer } from '../servers/store.ts'
import { rememberCleanup } from '../servers/store-cleanups.ts'
import { hostCleanups } from './cleanups.ts'

/** All guests of a host, as its agent found them. */
export async function guestsReported(ctx: Ctx, host: string, guests: GuestState[], started: boolean): Promise<void> {
  const servers = await serversOn(ctx, host)
  const found = new Map(guests.map(guest => [guest.id, guest.power_state]))
  for (const server of servers) {
    if (repair(server, found.get(server.id) ?? powerStates.nostate)) await follow(ctx, host, server.id, 'found so')
  }
  const known = new Set(servers.map(server => server.id))
  let strays = 0
  for (const { id } of guests) if (!known.has(id) && (await isStray(ctx, host, id))) strays++
  if (strays > 0 || started) ctx.signal(hostCleanups.id)
}

/** Makes a server's state what its guest is now; asks the host, since a message may be older than the last action. */
export async function follow(ctx: Ctx, host: string, id: string, reason: string): Promise<void> {
  const server = await findServer(ctx, id)
  if (server?.host !== host || server.task_state !== null) return
  let power: PowerState
  try {
    power = await powerOf(ctx, host, id)
  } catch (error) {
    if (isUnreachable(error)) return
    throw error
  }
  const repaired = repair(server, power)
  if (!repaired) return
  const patch = repaired.vm_state === 'error' ? { ...repaired, fault: vanished(ctx, host, id) } : repaired
  const unchanged = { vm_state: server.vm_state, task_state: null, updated_at: server.updated_at }
  await ctx.transaction(async tx => {
    if (!(await updateServer(tx, id, patch, unchanged))) return
    await tell(tx, id, 'update', { old: { vm_state: server.vm_state }, reason })
    ctx.log.info({ server_id: id, host, ...repaired, reason }, 'a server follows its guest')
  })
}

/** A guest that was aside when its host failed, and stayed its server's, is put back first. */
async function powerOf(ctx: Ctx, host: string, id: string): Promise<PowerState> {
  const agent = hostAgent(ctx, host)
  const power = await agent.call('state', { id }, { request: ctx })
  if (power !== powerStates.nostate) return power
  await agent.call('bringBack', { id }, { request: ctx })
  return agent.call('state', { id }, { request: ctx })
}

const vanishedMessage = 'The guest is not on its host any more.'

const vanished = (ctx: Ctx, host: string, id: string) =>
  faultOf(ctx, vanishedMessage, `Host ${host} has no guest ${id}. Bring its files back, or delete the server.`)

/** What of a server at rest has to change for its guest's power state; undefined when nothing has. */
export function repair(server: ServerOnHost, power_state: PowerState): Partial<ServerRow> | undefined {
  if (server.task_state !== null || server.vm_state === 'building') return undefined
  const vm_state = stateAfter(server, power_state)
  if (vm_state === server.vm_state) return power_state === server.power_state ? undefined : { power_state }
  return { vm_state, power_state, ...(server.vm_state === 'error' && { fault: null }) }
}

/** States that say more than whether the guest runs: they end when someone ends them. */
const ownStates: readonly ServerRow['vm_state'][] = [
  'rescued',
  'resized',
  'shelved',
  'shelved_offloaded',
  'soft-delete',
]

function stateAfter({ vm_state, fault }: ServerOnHost, power: PowerState): ServerRow['vm_state'] {
  if (ownStates.includes(vm_state)) return vm_state
  // Errors stay for people to see, but that of a guest which is there again.
  if (vm_state === 'error' && fault?.message !== vanishedMessage) return vm_state
  switch (power) {
    case powerStates.running:
      return 'active'
    case powerStates.paused:
      // A guest that its hypervisor holds (its disk is full, say) is not one that its owner paused.
      return vm_state === 'active' ? vm_state : 'paused'
    case powerStates.suspended:
      return 'suspended'
    case powerStates.nostate:
      return 'error'
    default:
      return 'stopped'
  }
}

/** A guest that belongs to no server of this host is to be destroyed, once nothing goes on with it. One that was never heard of stays. */
async function isStray(ctx: Ctx, host: string, id: string): Promise<boolean> {
  if ((await journal.unfinishedOf(ctx.db, id)).length > 0) return false
  const server = await findServer(ctx, id)
  if (server?.host === host) return false
  if (!server && !(await deletedServer(ctx, id))) {
    ctx.log.warn({ host, guest: id }, 'a host has a guest that no server is known for; it is left alone')
    return false
  }
  await rememberCleanup(ctx, host, id)
  return true
}

/** A guest changed its power state by itself. */
export async function guestChanged(ctx: Ctx, host: string, { id }: GuestState, reason: string): Promise<void> {
  try {
    await follow(ctx, host, id, reason)
  } catch (error) {
    ctx.log.warn(
      { err: messageOf(error), host, server_id: id },
      'a server could not follow its guest; the next report tells',
    )
  }
}
