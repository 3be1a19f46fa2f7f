/** Notifications: events as consumers of OpenStack's message bus know them, in its envelope. */
import type { Bus } from '../bus/bus.ts'
import type { Event } from './events.ts'

/** `notifications` has flat payloads, `versioned_notifications` objects with their versions. */
export type Topic = 'notifications' | 'versioned_notifications'

/** What a service says of one of its events in the format of a topic. */
export interface Rendering {
  topic: Topic
  /** `compute.host1`, `nova-compute:host1`. */
  publisher_id: string
  event_type: string
  payload: Record<string, unknown>
}

/** Renders the events of a service; undefined for those of others. */
export type Renderer = (event: Event) => Rendering[] | undefined

export type Priority = 'INFO' | 'ERROR'

export interface Notification {
  message_id: string
  publisher_id: string
  event_type: string
  priority: Priority
  /** As upstream writes it: `2026-01-01 00:00:00.000000`, UTC. */
  timestamp: string
  payload: Record<string, unknown>
  _context_request_id: string
  _context_global_request_id: string | null
  _context_client_tag: string | null
  _context_project_id: string | null
  _context_user_id: string | null
}

export const formats = ['both', 'versioned', 'unversioned', 'none'] as const
/** Which topics there are. */
export type Format = (typeof formats)[number]

const topicsOf: Record<Format, readonly Topic[]> = {
  both: ['notifications', 'versioned_notifications'],
  versioned: ['versioned_notifications'],
  unversioned: ['notifications'],
  none: [],
}

export const priorityOf = ({ type }: Pick<Event, 'type'>): Priority =>
  /\.(error|exception)$/.test(type) ? 'ERROR' : 'INFO'

export interface Told {
  topic: Topic
  notification: Notification
}

const asItIs = ({ type, payload }: Event): Rendering => ({
  ...{ topic: 'notifications', publisher_id: 'nephos', event_type: type, payload },
})

/** An event in the formats of the topics; one that no service knows reads as it is. */
export function notificationsOf(renderers: readonly Renderer[], event: Event, format: Format): Told[] {
  let rendered: Rendering[] | undefined
  for (const render of renderers) rendered ??= render(event)
  rendered ??= [asItIs(event)]
  return rendered
    .filter(({ topic }) => topicsOf[format].includes(topic))
    .map(({ topic, ...rest }) => ({ topic, notification: { ...envelope(event), ...rest } }))
}

/** An event as one notification: in the format, or, where it has none, in the other. The envelope is the same for all. */
export function notificationOf(renderers: readonly Renderer[], event: Event, format: Format): Notification {
  const told = notificationsOf(renderers, event, format)[0] ?? notificationsOf(renderers, event, 'both')[0]
  if (told) return told.notification
  const { topic: _topic, ...rest } = asItIs(event)
  return { ...envelope(event), ...rest }
}

function envelope(event: Event): Omit<Notification, 'publisher_id' | 'event_type' | 'payload'> {
  return {
    message_id: event.id,
    priority: priorityOf(event),
    timestamp: `${event.at.slice(0, 10)} ${event.at.slice(11, 23)}000`,
    _context_request_id: event.request_id,
    _context_global_request_id: event.global_request_id,
    _context_client_tag: event.client_tag,
    _context_project_id: event.project_id,
    _context_user_id: event.user_id,
  }
}

/** What is published of an event for listeners of this cloud: that it is there to be read. */
export interface EventHint {
  id: string
  type: string
  resource_id: string | null
}

/** Publishes on the bus: a hint as `events.<type>`, and the notifications as `<topic>.info` and `<topic>.error`. */
export function announce(bus: Bus, { id, type, resource_id }: Event, told: readonly Told[]): void {
  bus.publish(`events.${type}`, { id, type, resource_id } satisfies EventHint)
  for (const { topic, notification } of told)
    bus.publish(`${topic}.${notification.priority.toLowerCase()}`, notification)
}
