/** Shelving: a server is kept as an image and leaves its host. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { admin, projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { computeConfig } from '../../config.ts'
import { hostAgent, powerStates } from '../../host-agent.ts'
import { hosts } from '../../hosts/store.ts'
import { releaseRoom } from '../../rooms/steps.ts'
import { actionSaga, beginAction, begunAction } from '../action.ts'
import { snapshotImage, storeDisk, uploadTimeoutMs } from '../create-image.ts'
import { hostWith, loadOf } from '../host-load.ts'
import type { ServerRow, VmState } from '../server.ts'
import {
  callOptions,
  currentSpec,
  destroyGuest,
  existingServer,
  requireChange,
  serverToUndo,
  stopping,
  undoAtHome,
} from '../steps.ts'
import { findServer, listServers, updateServer } from '../store.ts'

interface ShelveBody {
  /** Absent: the root disk is a volume, and stays as it is. */
  image_id?: string
  format: 'raw' | 'qcow2'
  vm_state: VmState
}

/** Stores the disk; what runs is stopped for it, so that nothing is lost of what it wrote. */
const shelveSaga = actionSaga<ShelveBody>({
  name: 'shelve',
  event: 'shelve',
  longCallsMs: uploadTimeoutMs,
  async run(s, { server_id: id, host, body: { image_id, format, vm_state } }) {
    const { ctx } = s
    await s.step(
      'stop guest',
      async signal => {
        const { grace_seconds, waitMs } = stopping(ctx)
        await hostAgent(ctx, host).call('stop', { id, grace_seconds }, callOptions(ctx, signal, waitMs))
      },
      async () => {
        // There from the start, and to be filled by the next step.
        if (image_id !== undefined) await ctx.services.image.remove(ctx, image_id)
        if (vm_state === 'stopped' || !(await serverToUndo(ctx, id))) return
        await undoAtHome(ctx, id, () => bringBack(ctx, host, id))
      },
    )
    if (image_id !== undefined)
      await s.step('store disk', signal => storeDisk(ctx, host, { id, image_id, format }, signal))
    const at = await s.record('look at the clock', async tx => new Date(tx.clock.now()).toISOString())
    const shelved = { ...(image_id !== undefined && { image_id }), at }
    return { vm_state: 'shelved', power_state: powerStates.shutdown, recovery: { shelved } }
  },
  async settled(ctx, { server_id: id }) {
    if (ctx.config.of(computeConfig).shelved_offload_seconds !== 0) return
    const server = await findServer(ctx, id)
    // A failure after this point has the server back from the shelf: then there is nothing to offload.
    if (server?.vm_state === 'shelved') await beginOffload(ctx, server)
  },
  async undone(ctx, { server_id, body: { vm_state } }) {
    const off = vm_state === 'stopped' && { vm_state, power_state: powerStates.shutdown }
    await updateServer(ctx, server_id, { recovery: null, ...off })
  },
})

/** A guest that was not off, whether it has been stopped or not; its server is what it is then. */
async function bringBack(ctx: Ctx, host: string, id: string): Promise<void> {
  const agent = hostAgent(ctx, host)
  const power_state = await agent.call('state', { id }, callOptions(ctx, undefined))
  if (power_state === powerStates.suspended || power_state === powerStates.paused) {
    const vm_state = power_state === powerStates.paused ? 'paused' : 'suspended'
    return void (await updateServer(ctx, id, { vm_state, power_state }))
  }
  const spec = await currentSpec(ctx, id, host, new AbortController().signal)
  await agent.call('start', { spec }, callOptions(ctx, undefined, 300_000))
  await updateServer(ctx, id, { vm_state: 'active', power_state: powerStates.running })
}

export const shelve = begunAction({
  id: 'compute.servers.shelve',
  name: 'shelve',
  summary: 'Put a server on the shelf: keep its disk as an image and free its host',
  policy: rule('os_compute_api:os-shelve:shelve', projectMemberOrAdmin),
  saga: shelveSaga,
  async begin(tx, server) {
    const body = { ...(await imageToFill(tx, server)), vm_state: server.vm_state }
    await beginAction(tx, server, { name: 'shelve', event: 'shelve', saga: shelveSaga, body })
  },
})

/** For the root disk, when that is on the host. */
async function imageToFill(ctx: Ctx, server: ServerRow): Promise<Pick<ShelveBody, 'image_id' | 'format'>> {
  const format = server.image?.disk_format ?? 'qcow2'
  if (!server.image) return { format }
  const asked = { name: `${server.display_name}-shelved`, image_type: 'snapshot' } as const
  return { format, image_id: (await snapshotImage(ctx, server, asked)).id }
}

const offloadSaga = actionSaga<null>({
  name: 'shelveOffload',
  event: 'shelve_offload',
  async run(s, { server_id: id, host }) {
    const { ctx } = s
    await s.record('look at the shelf', async tx => {
      // What put it there may have been undone in the end.
      const { vm_state } = await existingServer(tx, id)
      if (vm_state !== 'shelved') throw new Conflict(`Instance ${id} is ${vm_state}, not shelved.`)
    })
    await s.step('destroy guest', async () => {
      await destroyGuest(ctx, host, id)
    })
    await s.record('free the host', async tx => {
      const nowhere = { host: null, node: null, vm_state: 'shelved_offloaded' } as const
      requireChange(await updateServer(tx, id, nowhere, { task_state: 'shelving_offloading' }), id)
      await tx.services.network.unbindPorts(tx, id)
      await releaseRoom(tx, id)
    })
    return { power_state: powerStates.nostate }
  },
})

/** In a transaction. */
export async function beginOffload(ctx: Ctx, server: ServerRow): Promise<void> {
  const body = null
  await beginAction(ctx, server, { name: 'shelveOffload', event: 'shelve_offload', saga: offloadSaga, body })
}

export const shelveOffload = begunAction({
  id: 'compute.servers.shelve_offload',
  name: 'shelveOffload',
  summary: 'Take a shelved server off its host',
  policy: rule('os_compute_api:os-shelve:shelve_offload', admin),
  saga: offloadSaga,
  begin: beginOffload,
})

/** Takes shelved servers off their hosts when they have waited for long enough, or others need the room. */
export const shelvedOffloads = reconciler({
  id: 'compute.shelved-offloads',
  every: 60_000,
  async run(ctx) {
    const { shelved_offload_seconds: seconds, shelved_keep_free_percent: free } = ctx.config.of(computeConfig)
    if (seconds <= 0 && free === 0) return
    const waiting = await listServers(ctx, { vm_state: 'shelved', task_state: null })
    const due = seconds > 0 ? waiting.filter(server => ctx.clock.now() - shelvedAt(server) >= seconds * 1000) : []
    const crowding = free > 0 ? await inTheWay(ctx, waiting, free) : []
    for (const id of new Set([...due, ...crowding].map(server => server.id))) await offloadAgain(ctx, id)
  },
})

const shelvedAt = ({ recovery }: ServerRow) => Date.parse(recovery?.shelved?.at ?? '') || Number.MAX_SAFE_INTEGER

async function offloadAgain(ctx: Ctx, id: string): Promise<void> {
  await ctx.transaction(async tx => {
    const server = await findServer(tx, id)
    if (server?.vm_state === 'shelved' && server.task_state === null) await beginOffload(tx, server)
  })
}

/** Those that have been on the shelf for longest, of each host as many as it takes to have so much of it free. */
async function inTheWay(ctx: Ctx, waiting: readonly ServerRow[], freePercent: number): Promise<ServerRow[]> {
  const found: ServerRow[] = []
  for (const [name, shelved] of Map.groupBy(waiting, server => server.host)) {
    const row = name === null ? undefined : await hosts.find(ctx.db, { name })
    if (!row) continue
    const host = hostWith(ctx, row, await listServers(ctx, { host: row.name }))
    for (const server of shelved.toSorted((a, b) => shelvedAt(a) - shelvedAt(b))) {
      if (100 - loadOf(host) >= freePercent) break
      host.servers = host.servers.filter(one => one.id !== server.id)
      found.push(server)
    }
  }
  return found
}
