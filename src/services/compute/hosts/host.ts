/** A host: a machine with an agent that runs guests. The API shows it as a service and as a hypervisor. */
import type { Ctx } from '#kernel/context.ts'
import type { MachineState } from '../agent/methods.ts'
import { computeConfig } from '../config.ts'
import type { HostFacts } from '../drivers/driver.ts'

export interface HostRow {
  /** The id of both the service and the hypervisor before 2.53. */
  id: number
  /** The service's. */
  uuid: string
  /** The hypervisor's, and its resource provider's. */
  provider_uuid: string
  name: string
  facts: HostFacts
  machine: MachineState
  /** How many guests it last reported. */
  guests: number
  created_at: string
  started_at: string
  last_seen: string
  disabled: boolean
  disabled_reason: string | null
  forced_down: boolean
  /** The project that has all of it; null for none. */
  dedicated_to: string | null
}

export const computeBinary = 'nova-compute'

/** Whether the host can be counted on: it reported lately, and nobody said otherwise. */
export function isUp(ctx: Ctx, host: HostRow): boolean {
  const age = ctx.clock.now() - Date.parse(host.last_seen)
  return !host.forced_down && age <= ctx.config.of(computeConfig).hosts.down_after_seconds * 1000
}
