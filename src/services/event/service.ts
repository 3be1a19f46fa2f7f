/** Events: what the cloud tells of itself, read by pages, as a stream or a feed, or sent to webhooks. */
import { service } from '#kernel/service.ts'
import { eventConfig } from './config.ts'
import { eventFaults } from './faults.ts'
import { logOperations } from './log/operations.ts'
import { webhooks } from './migrations/0001-webhooks.ts'
import { servicePath } from './paths.ts'
import { showRequest } from './requests/show.ts'
import { listVersions } from './versions.ts'
import { deliveries, followEvents } from './webhooks/deliveries.ts'
import { hub } from './webhooks/hub.ts'
import { webhookOperations } from './webhooks/operations.ts'

export const eventService = service({
  type: 'event',
  name: 'nephos',
  path: servicePath,
  operations: [listVersions, ...logOperations, showRequest, ...webhookOperations, hub],
  faults: eventFaults,
  reconcilers: [deliveries],
  migrations: [webhooks],
  config: eventConfig,
  control: async env => followEvents(env),
})
