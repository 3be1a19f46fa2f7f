/** Volumes come to running servers and go: attach, detach, and one in the place of another. */
import type { Ctx } from '#kernel/context.ts'
import { anySaga, type Saga } from '#kernel/saga/saga.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { type ActionInput, actionSaga } from './action.ts'
import { isVolume, type VolumeDevice } from './block-device.ts'
import { volumeDisk } from './guest-spec.ts'
import { homeUndo } from './home-undo.ts'
import { callOptions, serverToUndo } from './steps.ts'
import { findServer } from './store.ts'
import { devicesOf, removeDevice, updateDevice } from './store-block-devices.ts'
import { volumeService } from './volumes.ts'

export interface VolumeInput {
  device_id: string
  volume_id: string
  attachment_id: string
}

type Acted = Pick<ActionInput<VolumeInput>, 'server_id' | 'host'>

/** Copying a volume takes its time. */
const copyMs = 6 * 60 * 60_000

/** The guest has its disks: it runs, or stands still. Any other gets those that there are when it starts. */
async function hasDisks(ctx: Ctx, { server_id, host }: Acted): Promise<boolean> {
  const server = await findServer(ctx, server_id)
  const { running, paused } = powerStates
  return server?.host === host && [running, paused].some(state => state === server.power_state)
}

async function deviceOf(ctx: Ctx, server_id: string, device_id: string): Promise<VolumeDevice | undefined> {
  return (await devicesOf(ctx, server_id)).filter(isVolume).find(one => one.id === device_id)
}

/** Gives the guest the volume, if the server still has it. */
async function plugIn(ctx: Ctx, acted: Acted, device_id: string, signal: AbortSignal): Promise<void> {
  const { server_id: id, host } = acted
  const device = await deviceOf(ctx, id, device_id)
  if (!device || !(await hasDisks(ctx, acted))) return
  const disk = await volumeDisk(ctx, device, host, signal)
  await hostAgent(ctx, host).call('attachDisk', { id, disk }, callOptions(ctx, signal))
}

async function pullOut(ctx: Ctx, acted: Acted, disk_id: string, signal?: AbortSignal): Promise<void> {
  const { server_id: id, host } = acted
  if (await hasDisks(ctx, acted))
    await hostAgent(ctx, host).call('detachDisk', { id, disk_id }, callOptions(ctx, signal))
}

const takeBack = homeUndo<Acted & { volume_id: string }>('take-back-volume', (ctx, { volume_id, ...acted }) =>
  pullOut(ctx, acted, volume_id),
)

/** The host may have taken it, and its answer been lost: what stays the server's the guest gets back. */
const giveBack = homeUndo<Acted & { device_id: string }>('give-back-volume', (ctx, { device_id, ...acted }) =>
  plugIn(ctx, acted, device_id, new AbortController().signal),
)

export const attachVolumeSaga = actionSaga<VolumeInput>({
  name: 'attach_volume',
  event: 'volume_attach',
  told: ({ volume_id }) => ({ volume_id }),
  async run(s, input) {
    const { server_id, host, body } = input
    await s.step(
      'attach volume',
      signal => plugIn(s.ctx, input, body.device_id, signal),
      // A server that goes lets go of its volumes.
      async () => {
        if (!(await serverToUndo(s.ctx, server_id))) return
        await takeBack.run(s.ctx, { server_id, host, volume_id: body.volume_id })
        await s.ctx.transaction(tx => letGo(tx, input))
      },
    )
    return {}
  },
  async settled(ctx, { server_id, body: { device_id } }) {
    const device = await deviceOf(ctx, server_id, device_id)
    if (device) await volumeService(ctx).complete(ctx, device.attachment_id, device.device_name)
  },
  undone: letGo,
})

export const detachVolumeSaga = actionSaga<VolumeInput>({
  name: 'detach_volume',
  event: 'volume_detach',
  told: ({ volume_id }) => ({ volume_id }),
  async run(s, { server_id, host, body: { device_id, volume_id } }) {
    const acted = { server_id, host }
    await s.step(
      'detach volume',
      signal => pullOut(s.ctx, acted, volume_id, signal),
      () => giveBack.run(s.ctx, { ...acted, device_id }),
    )
    return {}
  },
  settled: letGo,
  async undone(ctx, { server_id, body: { device_id, attachment_id } }) {
    if (await deviceOf(ctx, server_id, device_id)) await volumeService(ctx).keepAttached(ctx, attachment_id)
  },
})

/** The volume is not the server's any more. */
async function letGo(ctx: Ctx, { server_id, body }: Pick<ActionInput<VolumeInput>, 'server_id' | 'body'>) {
  if (await removeDevice(ctx, { server_id, id: body.device_id }))
    await volumeService(ctx).detach(ctx, body.attachment_id)
}

/** A server that is on no host: nothing has to be done there. In a transaction. */
export const detachAtOnce = letGo

export interface SwapInput extends VolumeInput {
  new_volume_id: string
  new_attachment_id: string
  new_size: number
}

/** The device as it will be. */
const swapped = (device: VolumeDevice, { new_volume_id, new_attachment_id, new_size }: SwapInput): VolumeDevice => ({
  ...device,
  volume_id: new_volume_id,
  attachment_id: new_attachment_id,
  size: new_size,
})

/** The old volume is free already: what fails after that changes nothing. */
async function isSwapped(ctx: Ctx, server_id: string, { device_id, new_volume_id }: SwapInput): Promise<boolean> {
  return (await deviceOf(ctx, server_id, device_id))?.volume_id === new_volume_id
}

interface Swap extends Acted {
  from: string
  to: VolumeDevice
}

async function swap(ctx: Ctx, { from, to, ...acted }: Swap, signal: AbortSignal): Promise<void> {
  if (!(await hasDisks(ctx, acted))) return
  const { server_id: id, host } = acted
  const disk = await volumeDisk(ctx, to, host, signal)
  await hostAgent(ctx, host).call('swapDisk', { id, disk_id: from, disk }, callOptions(ctx, signal, copyMs))
}

const swapBack = homeUndo<Swap>('swap-volume-back', (ctx, input) => swap(ctx, input, new AbortController().signal))

export const swapVolumeSaga = actionSaga<SwapInput>({
  name: 'swap_volume',
  event: 'volume_swap',
  longCallsMs: copyMs,
  told: ({ volume_id, new_volume_id }) => ({ volume_id, new_volume_id }),
  async run(s, { server_id, host, body }) {
    const acted = { server_id, host }
    const device = await s.record(
      'look at the device',
      async tx => (await deviceOf(tx, server_id, body.device_id)) ?? null,
    )
    if (!device) return {}
    const there = swapped(device, body)
    await s.step(
      'swap volume',
      signal => swap(s.ctx, { ...acted, from: body.volume_id, to: there }, signal),
      async () => {
        if (!(await isSwapped(s.ctx, server_id, body)))
          await swapBack.run(s.ctx, { ...acted, from: body.new_volume_id, to: device })
      },
    )
    return {}
  },
  async settled(ctx, { server_id, body }) {
    const device = await deviceOf(ctx, server_id, body.device_id)
    if (!device) return
    const { volume_id, attachment_id, size } = swapped(device, body)
    await updateDevice(ctx, device, { volume_id, attachment_id, size })
    await volumeService(ctx).complete(ctx, attachment_id, device.device_name)
    await volumeService(ctx).detach(ctx, body.attachment_id)
  },
  async undone(ctx, { server_id, body }) {
    if (await isSwapped(ctx, server_id, body)) return
    await volumeService(ctx).detach(ctx, body.new_attachment_id)
    if (await deviceOf(ctx, server_id, body.device_id)) await volumeService(ctx).keepAttached(ctx, body.attachment_id)
  },
})

export const volumeSagas: Saga[] = [
  ...[anySaga(attachVolumeSaga), anySaga(detachVolumeSaga), anySaga(swapVolumeSaga)],
  ...[takeBack.saga, giveBack.saga, swapBack.saga],
]
