/** The network service's events as notifications. They read as they are: upstream's have no versions. */
import type { Renderer } from '#kernel/events/notification.ts'

/** Of resources by their names: `network`, `port`. */
export function networkNotifications(names: readonly string[]): Renderer {
  const known = new Set(names)
  return ({ type, payload }) =>
    known.has(type.split('.')[0]!)
      ? [{ topic: 'notifications', publisher_id: 'network.api', event_type: type, payload }]
      : undefined
}
