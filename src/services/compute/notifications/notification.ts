/** Compute's events as notifications, in both of upstream's formats. */
import type { Event } from '#kernel/events/events.ts'
import type { Renderer, Rendering } from '#kernel/events/notification.ts'
import { type ServerEvent, stemOf } from '../events.ts'
import { namesOf } from './names.ts'
import { otherNotifications } from './others.ts'
import { unversionedPayload } from './unversioned.ts'
import { versionedPayload } from './versioned.ts'

export const computeNotifications: Renderer = event => {
  const stem = stemOf(event.type)
  return stem === undefined ? otherNotifications(event) : ofServer(stem, event)
}

function ofServer(stem: string, event: Event): Rendering[] {
  const told = event.payload as unknown as ServerEvent
  const { action, unversioned, versioned, source } = namesOf(stem)
  const host = source === 'api' ? 'api' : (told.server.host ?? 'conductor')
  const found: Rendering[] = []
  if (unversioned !== undefined)
    found.push({
      topic: 'notifications',
      publisher_id: `${source}.${host}`,
      event_type: unversioned,
      payload: unversionedPayload(action, told),
    })
  if (versioned !== undefined)
    found.push({
      topic: 'versioned_notifications',
      publisher_id: `nova-${source}:${host}`,
      event_type: versioned,
      payload: versionedPayload(action, told, event),
    })
  return found
}
