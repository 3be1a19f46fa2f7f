/** What is kept of a guest beside its disks. `guest.json` is there exactly when the guest is whole: written last, removed first. */
import { readFile } from 'node:fs/promises'
import { GuestError, type GuestSpec, isTrue, type NicSpec } from '../driver.ts'
import { assignPorts, type Machine, vifModels } from './command-line.ts'
import { type GuestFiles, replaceFile } from './host.ts'

export interface GuestRecord {
  revision: 1
  machine: Machine
  /** Names of the cached images that the guest stands on. */
  images: string[]
}

export async function readRecord(files: GuestFiles): Promise<GuestRecord | undefined> {
  try {
    return JSON.parse(await readFile(files.record, 'utf8')) as GuestRecord
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new GuestError('The record of the guest on its host cannot be read.', { cause: error })
  }
}

export async function writeRecord(files: GuestFiles, record: GuestRecord): Promise<void> {
  await replaceFile(files.record, `${JSON.stringify(record, null, 1)}\n`)
}

/** The machine for a fresh boot: the disks that are there, and the rest as `spec` says now. */
export function freshMachine(old: Machine, spec: GuestSpec, accel: Machine['accel']): Machine {
  checkSpec(spec)
  const machine = { ...old, spec: bare(spec), accel, agent: hasAgent(spec) }
  return { ...machine, ...assignPorts(machine) }
}

/** Config drives hold passwords, and are on disk already; the key of encrypted disks is not to be beside them. */
export function bare(spec: GuestSpec): Machine['spec'] {
  const { config_drive: _, disk_key: _key, ...rest } = spec
  return rest
}

export function checkSpec(spec: GuestSpec) {
  for (const nic of spec.nics) checkNic(nic)
  if (!(spec.vcpus >= 1 && spec.vcpus <= 255)) throw new GuestError(`A guest cannot have ${spec.vcpus} CPUs.`)
  if (!(spec.memory_mb >= 1)) throw new GuestError(`A guest cannot have ${spec.memory_mb} MB of memory.`)
  if (new Set(spec.nics.map(nic => nic.tap?.netns)).size > 1) {
    throw new GuestError('All taps of a guest must be in one network namespace.')
  }
  const type = imageProperty(spec, 'hw_machine_type') ?? 'q35'
  if (!/^(pc-)?q35/.test(type)) {
    throw new GuestError(`The machine type ${JSON.stringify(type)} is not supported: use q35.`, {
      retryElsewhere: true,
    })
  }
  vifModel(spec)
}

export function checkNic(nic: NicSpec) {
  const fine =
    /^[\w][\w.-]{0,63}$/.test(nic.port_id) &&
    /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(nic.mac) &&
    Number.isInteger(nic.mtu) &&
    (!nic.tap || /^[\w][\w.-]{0,14}$/.test(nic.tap.name))
  if (!fine) throw new GuestError(`The port ${JSON.stringify(nic.port_id)} is not usable.`)
}

export function vifModel(spec: GuestSpec): string {
  const model = imageProperty(spec, 'hw_vif_model') ?? 'virtio'
  if (vifModels.includes(model)) return model
  throw new GuestError(`The NIC model ${JSON.stringify(model)} is not supported: use ${vifModels.join(', ')}.`)
}

export function imageProperty(spec: Pick<GuestSpec, 'disks'>, name: string): string | undefined {
  return rootImage(spec)?.properties[name]
}

/** Whether the image promises an agent in the guest. */
export const hasAgent = (spec: Pick<GuestSpec, 'disks'>) => isTrue(rootImage(spec)?.properties.hw_qemu_guest_agent)

export function rootImage(spec: Pick<GuestSpec, 'disks'>) {
  const source = rootDisk(spec)?.source
  return source?.type === 'image' ? source.image : undefined
}

/** The disk that boots first. */
export function rootDisk(spec: Pick<GuestSpec, 'disks'>) {
  return spec.disks.filter(disk => disk.boot_index >= 0).sort((a, b) => a.boot_index - b.boot_index)[0]
}
