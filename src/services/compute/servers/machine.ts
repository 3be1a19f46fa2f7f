/** What a server's flavor and image ask of its machine together: NUMA cells, CPUs, devices. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { computeConfig } from '../config.ts'
import { type CpuTopology, cpuTopology } from '../scheduler/cpu-topology.ts'
import { type GuestTopology, guestTopology } from '../scheduler/guest-topology.ts'
import { type PciRequest, pciAliases, pciRequests } from '../scheduler/pci.ts'
import { BadTopology, type Wishes } from '../scheduler/wishes.ts'
import type { ServerFlavor, ServerImage, ServerRow } from './server.ts'

export interface MachineWishes {
  topology: GuestTopology | undefined
  devices: PciRequest[]
}

export const wishesOf = (flavor: ServerFlavor, image: ServerImage | null): Wishes => ({
  vcpus: flavor.vcpus,
  ram_mb: flavor.ram,
  extra_specs: flavor.extra_specs,
  image_properties: image?.properties ?? {},
})

/** Throws BadRequest when the two contradict each other. */
export function machineWishes(ctx: Ctx, flavor: ServerFlavor, image: ServerImage | null): MachineWishes {
  const wishes = wishesOf(flavor, image)
  try {
    cpuTopology(wishes)
    const aliases = pciAliases(ctx.config.of(computeConfig).pci.alias)
    return { topology: guestTopology(wishes), devices: pciRequests(wishes, aliases) }
  } catch (error) {
    throw error instanceof BadTopology ? new BadRequest(error.message) : error
  }
}

/** Whether it has a device that no running guest can be moved with. */
export function hasFixedDevice(ctx: Ctx, { flavor, image }: Pick<ServerRow, 'flavor' | 'image'>): boolean {
  const aliases = pciAliases(ctx.config.of(computeConfig).pci.alias)
  return machineWishes(ctx, flavor, image).devices.some(({ alias }) => !aliases.get(alias)?.live_migratable)
}

/** The sockets, cores and threads that the guest sees. */
export const cpusOfServer = (flavor: ServerFlavor, image: ServerImage | null, threads: number): CpuTopology =>
  cpuTopology(wishesOf(flavor, image), threads)
