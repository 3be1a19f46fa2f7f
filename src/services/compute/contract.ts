/** What compute offers the other services. */
import type { Ctx } from '#kernel/context.ts'
import type { MetadataResponse } from '../network/drivers/driver.ts'
import { firstFlavors } from './flavors/first.ts'
import { zones } from './hosts/hosts.ts'
import { answerGuest } from './metadata/metadata.ts'
import { beginUnplug } from './servers/interfaces.ts'

export interface ComputeContract {
  /** Makes what a new cloud has: flavors, when there are none. Running it again changes nothing. */
  bootstrap(ctx: Ctx): Promise<void>
  /** Answers a guest's request to the metadata service; who asks is known from its port alone. */
  metadata(
    ctx: Ctx,
    request: { server_id: string; path: string; method: string; body: string },
  ): Promise<MetadataResponse>
  /** Zones as users choose them, with the hosts in each. */
  availabilityZones(ctx: Ctx): Promise<{ name: string; hosts: string[] }[]>
  /** A port that a server has is deleted, in the caller's transaction: it leaves the running guest. */
  portDeleted(ctx: Ctx, port: { server_id: string; port_id: string }): Promise<void>
}

declare module '#kernel/context.ts' {
  interface Contracts {
    compute: ComputeContract
  }
}

export const computeContract: ComputeContract = {
  bootstrap: firstFlavors,
  metadata: answerGuest,
  portDeleted: beginUnplug,
  async availabilityZones(ctx) {
    return (await zones(ctx)).map(({ name, hosts }) => ({ name, hosts: hosts.map(host => host.name) }))
  },
}
