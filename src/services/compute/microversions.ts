/** The compute API's versions. */
import type { Microversions } from '#kernel/service.ts'

export const microversions = {
  serviceType: 'compute',
  legacyHeader: 'X-OpenStack-Nova-API-Version',
  min: '2.1',
  max: '2.104',
} as const satisfies Microversions
