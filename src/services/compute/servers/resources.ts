/** What placement is asked for with a server: amounts by its flavor, traits of flavor and image. */
import type { Ctx } from '#kernel/context.ts'
import type { CandidateRequest } from '../../placement/contract.ts'
import { hostNamed } from '../hosts/hosts.ts'
import type { MachineWishes } from './machine.ts'
import type { RequestSpec, ServerFlavor, ServerImage } from './server.ts'

interface Asked {
  flavor: ServerFlavor
  image: ServerImage | null
  spec: RequestSpec
}

/** What of the hosts' own disks. A server without an image boots from a volume. */
const diskOf = (image: ServerImage | null, { disk, ephemeral, swap }: ServerFlavor): number =>
  (image ? disk : 0) + ephemeral + Math.ceil(swap / 1024)

/** What counts against the quota with a flavor. */
export const amountsOf = (image: ServerImage | null, flavor: ServerFlavor) => ({
  vcpus: flavor.vcpus,
  memory_mb: flavor.ram,
  disk_gb: diskOf(image, flavor),
})

/** Extra specs may say otherwise. */
function resourcesOf({ flavor, image }: Asked, { topology }: MachineWishes): Record<string, number> {
  const dedicated = topology?.cpu.dedicated.size ?? 0
  const resources: Record<string, number> = {
    VCPU: flavor.vcpus - dedicated,
    PCPU: dedicated + (topology?.cpu.emulator === 'isolate' ? 1 : 0),
    MEMORY_MB: flavor.ram,
    DISK_GB: diskOf(image, flavor),
  }
  for (const [key, value] of Object.entries(flavor.extra_specs)) {
    const resource = /^resources:([A-Z0-9_]+)$/.exec(key)?.[1]
    if (resource && /^\d+$/.test(value)) resources[resource] = Number(value)
  }
  return Object.fromEntries(Object.entries(resources).filter(([, amount]) => amount > 0))
}

/** A host that has none of it is not looked at; how much, and of which cell or device, is for the filters and the claim. */
function foundBy({ topology, devices }: MachineWishes): Record<string, number> {
  return {
    ...(topology && { NUMA_MEMORY_MB: Math.max(1, Math.min(...topology.cells.map(({ memory_mb }) => memory_mb))) }),
    ...Object.fromEntries(devices.map(({ resource_class }) => [resource_class, 1])),
  }
}

function traitsOf({ flavor, image }: Asked, { topology }: MachineWishes) {
  const traits = { required: [] as string[], forbidden: [] as string[] }
  for (const [key, value] of [...Object.entries(image?.properties ?? {}), ...Object.entries(flavor.extra_specs)]) {
    const trait = /^trait:([A-Z0-9_]+)$/.exec(key)?.[1]
    if (trait && (value === 'required' || value === 'forbidden')) traits[value].push(trait)
  }
  const threads = topology?.cpu.threads
  if (threads === 'require') traits.required.push('HW_CPU_HYPERTHREADING')
  if (threads === 'isolate') traits.forbidden.push('HW_CPU_HYPERTHREADING')
  return traits
}

/** Undefined when the host that was named does not exist. */
export async function candidateRequest(
  ctx: Ctx,
  asked: Asked,
  wishes: MachineWishes,
): Promise<CandidateRequest | undefined> {
  const traits = traitsOf(asked, wishes)
  const request: CandidateRequest = {
    resources: { ...resourcesOf(asked, wishes), ...foundBy(wishes) },
    required_traits: traits.required,
    forbidden_traits: traits.forbidden,
    member_of: [],
  }
  const named = asked.spec.requested_host
  if (named === null) return request
  const host = await hostNamed(ctx, named)
  return host && { ...request, in_tree: host.provider_uuid }
}

/** What is claimed of a candidate, without what only found it. */
export function claimedAmounts(
  allocations: Record<string, Record<string, number>>,
  wishes: MachineWishes,
): Record<string, Record<string, number>> {
  const found = foundBy(wishes)
  const kept = Object.entries(allocations).map(([provider, amounts]) => {
    const real = Object.entries(amounts).filter(([resource]) => found[resource] === undefined)
    return [provider, Object.fromEntries(real)] as const
  })
  return Object.fromEntries(kept.filter(([, amounts]) => Object.keys(amounts).length > 0))
}
