/** Zones that networks and routers may ask for. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { networkConfig } from './config.ts'

/** Refuses hints of zones that there are not. */
export function checkZones(ctx: Ctx, hints: readonly string[]): void {
  const zone = ctx.config.of(networkConfig).availability_zone
  const unknown = hints.find(hint => hint !== zone)
  if (unknown !== undefined)
    throw new NotFound(`AvailabilityZone ${unknown} could not be found.`, { type: 'AvailabilityZoneNotFound' })
}
