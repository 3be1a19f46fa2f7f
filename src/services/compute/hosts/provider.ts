/** A host's resource providers in placement: the host, its NUMA cells, and the devices that guests may have; kept as the host says. */
import { createHash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import type { InventorySpec, ProviderSpec } from '../../placement/contract.ts'
import { computeConfig } from '../config.ts'
import type { HostFacts } from '../drivers/driver.ts'
import type { PciDevice } from '../scheduler/pci.ts'
import type { HostRow } from './host.ts'
import { cpuCounts, type OfferedCell, offeredCells, offeredDevicesOf } from './numa.ts'

type Host = Pick<HostRow, 'provider_uuid' | 'facts' | 'disabled'>

/** Makes the providers as the host is now; a disabled host says so by a trait, so that no server is placed there. */
export async function keepProvider(ctx: Ctx, host: Host): Promise<void> {
  const { facts, provider_uuid: root } = host
  const cells = offeredCells(ctx, facts)
  await ctx.services.placement.ensureProvider(ctx, rootOf(ctx, host, cells))
  const children = [
    ...cells.map(cell => cellProvider(ctx, host, cell)),
    ...offeredDevicesOf(ctx, facts).map(device => deviceProvider(host, device)),
  ]
  for (const child of children) await ctx.services.placement.ensureProvider(ctx, child)
  const wanted = new Set(children.map(({ uuid }) => uuid))
  for (const { uuid, name } of await ctx.services.placement.childrenOf(ctx, root)) {
    // Others may keep providers below a host as well.
    if (wanted.has(uuid) || uuid !== childId(root, name)) continue
    await removeUnused(ctx, uuid)
  }
}

/** Removes all providers of a host that is gone. Throws `Conflict` when one is in use. */
export async function removeProviders(ctx: Ctx, root: string): Promise<void> {
  for (const { uuid, name } of await ctx.services.placement.childrenOf(ctx, root))
    if (uuid === childId(root, name)) await ctx.services.placement.removeProvider(ctx, uuid)
  await ctx.services.placement.removeProvider(ctx, root)
}

/** What guests have of it stays until they give it back. */
async function removeUnused(ctx: Ctx, uuid: string): Promise<void> {
  try {
    await ctx.services.placement.removeProvider(ctx, uuid)
  } catch (error) {
    if (!(error instanceof Conflict)) throw error
  }
}

function inventory(total: number, allocation_ratio = 1, reserved = 0): InventorySpec {
  return {
    ...{ total, min_unit: 1, max_unit: total, step_size: 1, allocation_ratio },
    reserved: Math.min(reserved, total - 1),
  }
}

function rootOf(ctx: Ctx, { provider_uuid, facts, disabled }: Host, cells: OfferedCell[]): ProviderSpec {
  const { hosts: ratios } = ctx.config.of(computeConfig)
  const { shared, dedicated } = cpuCounts(ctx, facts)
  const hasThreads = cells.some(({ siblings }) => siblings.some(core => core.length > 1))
  return {
    uuid: provider_uuid,
    name: facts.hypervisor_hostname,
    inventories: {
      ...(shared > 0 && { VCPU: inventory(shared, ratios.cpu_allocation_ratio) }),
      ...(dedicated > 0 && { PCPU: inventory(dedicated) }),
      MEMORY_MB: inventory(facts.memory_mb, ratios.ram_allocation_ratio, ratios.reserved_memory_mb),
      ...(facts.disk_gb > 0 && { DISK_GB: inventory(facts.disk_gb, ratios.disk_allocation_ratio) }),
    },
    keepsCustom: true,
    traits: [
      ...new Set([
        ...[...facts.traits, 'COMPUTE_NODE'],
        ...(hasThreads ? ['HW_CPU_HYPERTHREADING'] : []),
        ...(disabled ? ['COMPUTE_STATUS_DISABLED'] : []),
      ]),
    ],
  }
}

/** Resource class of a size of pages. */
export const pageClass = (size_kb: number) => `CUSTOM_HUGEPAGES_${size_kb}KB`

function cellProvider(ctx: Ctx, { provider_uuid: parent, facts }: Host, cell: OfferedCell): ProviderSpec {
  const name = cellName(facts, cell.id)
  const { ram_allocation_ratio } = ctx.config.of(computeConfig).hosts
  return {
    ...{ uuid: childId(parent, name), name, parent },
    inventories: {
      NUMA_MEMORY_MB: inventory(cell.memory_mb, ram_allocation_ratio),
      ...(cell.dedicated.length > 0 && { NUMA_THREAD: inventory(cell.dedicated.length) }),
      ...Object.fromEntries(
        cell.pages.flatMap(({ size_kb, total }) => (total > 0 ? [[pageClass(size_kb), inventory(total)]] : [])),
      ),
    },
    traits: ['HW_NUMA_ROOT'],
  }
}

function deviceProvider({ provider_uuid: parent, facts }: Host, device: PciDevice): ProviderSpec {
  const name = deviceName(facts, device.address)
  return {
    ...{ uuid: childId(parent, name), name, parent },
    inventories: { [device.resource_class]: inventory(1) },
    traits: ['COMPUTE_MANAGED_PCI_DEVICE', ...device.traits],
  }
}

type Named = Pick<HostFacts, 'hypervisor_hostname'>
const cellName = ({ hypervisor_hostname }: Named, cell: number) => `${hypervisor_hostname}_NUMA${cell}`
const deviceName = ({ hypervisor_hostname }: Named, address: string) => `${hypervisor_hostname}_${address}`

/** Made of its parent and its name, so that nobody needs to remember it. */
function childId(parent: string, name: string): string {
  const hex = createHash('sha256').update(`${parent}/${name}`).digest('hex')
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export const cellProviderId = (root: string, node: string, cell: number) =>
  childId(root, cellName({ hypervisor_hostname: node }, cell))
export const deviceProviderId = (root: string, node: string, address: string) =>
  childId(root, deviceName({ hypervisor_hostname: node }, address))
