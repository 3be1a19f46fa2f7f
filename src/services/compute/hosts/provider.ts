/** A host's resource provider in placement: what it offers, kept as the host says. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import type { HostRow } from './host.ts'

/** Makes the provider as the host is now; a disabled host says so by a trait, so that no server is placed there. */
export async function keepProvider(
  ctx: Ctx,
  host: Pick<HostRow, 'provider_uuid' | 'facts' | 'disabled'>,
): Promise<void> {
  const { hosts: ratios } = ctx.config.of(computeConfig)
  const { facts } = host
  const inventory = (total: number, allocation_ratio: number, reserved = 0) => ({
    total,
    reserved: Math.min(reserved, total - 1),
    min_unit: 1,
    max_unit: total,
    step_size: 1,
    allocation_ratio,
  })
  await ctx.services.placement.ensureProvider(ctx, {
    uuid: host.provider_uuid,
    name: facts.hypervisor_hostname,
    inventories: {
      VCPU: inventory(facts.vcpus, ratios.cpu_allocation_ratio),
      MEMORY_MB: inventory(facts.memory_mb, ratios.ram_allocation_ratio, ratios.reserved_memory_mb),
      ...(facts.disk_gb > 0 && { DISK_GB: inventory(facts.disk_gb, ratios.disk_allocation_ratio) }),
    },
    traits: [...new Set([...facts.traits, 'COMPUTE_NODE', ...(host.disabled ? ['COMPUTE_STATUS_DISABLED'] : [])])],
  })
}
