/** Configuration of events: notifications, streams and webhooks. */
import { section } from '#kernel/config/section.ts'
import { formats } from '#kernel/events/notification.ts'
import { Type } from '#kernel/schema/builders.ts'

export const eventConfig = section(
  'events',
  Type.Object(
    {
      notification_format: Type.Union(
        formats.map(name => Type.Literal(name)),
        {
          default: 'both',
          description: 'Notifications on the bus: versioned, unversioned (of the old format), both or none.',
        },
      ),
      most_streams: Type.Integer({
        default: 100,
        minimum: 0,
        description: 'How many readers one process sends events to as they come.',
      }),
      most_webhooks: Type.Integer({ default: 100, minimum: 0, description: 'Webhooks of the cloud.' }),
      webhook_schemes: Type.Array(Type.String(), {
        default: ['http', 'https'],
        description: 'Schemes of the addresses of webhooks.',
      }),
      webhook_ports: Type.Array(Type.Integer(), {
        default: [],
        description: 'Ports of the addresses of webhooks; none: all.',
      }),
      webhook_networks: Type.Array(Type.String(), {
        default: [],
        description:
          'Networks (10.0.0.0/8) that webhooks may lead to beside the Internet: local addresses are refused otherwise.',
      }),
      webhook_timeout_seconds: Type.Integer({
        default: 10,
        minimum: 1,
        description: 'How long the server of a webhook may take to answer.',
      }),
      webhook_patience_hours: Type.Integer({
        default: 24,
        minimum: 1,
        description: 'How long a webhook that fails is tried again before it rests until somebody resumes it.',
      }),
    },
    { description: 'What the cloud tells of itself.' },
  ),
)
