/** Events as an Atom feed. */
import { type LoggedEvent, positionText } from '#kernel/events/events.ts'

export const atomType = 'application/atom+xml'

export interface Feed {
  /** The address that it was read from. */
  self: string
  /** Where to subscribe to it. */
  hub: string
  /** The address of the page with older events. */
  next?: string | undefined
  /** ISO 8601, for a feed without events. */
  now: string
  events: readonly LoggedEvent[]
  /** What an entry holds, as JSON. */
  content(event: LoggedEvent): unknown
}

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

// XML has no way to write most control characters.
const unwritable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

const text = (value: string) =>
  value
    .toWellFormed()
    .replace(unwritable, '\ufffd')
    .replace(/[&<>"']/g, found => escapes[found]!)

const link = (rel: string, href: string) => `  <link rel="${rel}" href="${text(href)}"/>`

export function atomFeed({ self, hub, next, now, events, content }: Feed): string {
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `  <id>${text(self.split('?')[0]!)}</id>`,
    '  <title>Events of the cloud</title>',
    `  <updated>${events[0]?.at ?? now}</updated>`,
    link('self', self),
    link('hub', hub),
    ...(next === undefined ? [] : [link('next', next)]),
    ...events.map(event => entry(event, content(event))),
    '</feed>',
    '',
  ].join('\n')
}

function entry(event: LoggedEvent, content: unknown): string {
  const { id, type, at, user_id, resource_id } = event
  return [
    '  <entry>',
    `    <id>urn:uuid:${id}</id>`,
    `    <title>${text(resource_id === null ? type : `${type} ${resource_id}`)}</title>`,
    `    <updated>${at}</updated>`,
    `    <author><name>${text(user_id ?? 'system')}</name></author>`,
    `    <category term="${text(type)}" label="${positionText(event)}"/>`,
    `    <content type="text">${text(JSON.stringify(content))}</content>`,
    '  </entry>',
  ].join('\n')
}
