/** The services of a cloud, in the order in which they start. */
import type { Service } from '#kernel/service.ts'
import { computeService } from './services/compute/service.ts'
import { eventService } from './services/event/service.ts'
import { identityService } from './services/identity/service.ts'
import { imageService } from './services/image/service.ts'
import { networkService } from './services/network/service.ts'
import { placementService } from './services/placement/service.ts'

export const services: readonly Service[] = [
  identityService,
  networkService,
  placementService,
  imageService,
  computeService,
  eventService,
]
