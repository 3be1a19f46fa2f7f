/** The hub of the Atom feed (WebSub, once PubSubHubbub): subscribers are asked whether they meant it, then sent what is new. */
import type { Readable } from 'node:stream'
import { BadRequest, UnsupportedMediaType } from '#kernel/errors.ts'
import { bodyText } from '#kernel/http/body-text.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { feedPath } from '../paths.ts'
import { typesOf, typesText } from '../query.ts'
import { changeWebhooks } from '../rules.ts'
import { addWebhook, deliveriesId } from './steps.ts'
import { webhooks } from './store.ts'

const mostBytes = 16_384
const day = 86_400
const defaultLease = 10 * day
const longestLease = 365 * day

const types = Type.Object({ types: Type.Optional(typesText) })

/** The types that a feed's address asks for. */
function typesOfTopic(topic: string): string[] {
  const url = URL.canParse(topic) ? new URL(topic) : undefined
  if (url?.pathname !== feedPath) throw new BadRequest(`hub.topic must be the address of the feed, ${feedPath}.`)
  const asked = Object.fromEntries(url.searchParams)
  if (problemOf(types, asked, 'query')) throw new BadRequest('hub.topic asks for types that there cannot be.')
  return typesOf(asked.types)
}

export const hub = operation({
  id: 'event.hub.subscribe',
  method: 'POST',
  path: '/v1/hub',
  summary: 'Subscribe to the Atom feed, or end a subscription (WebSub)',
  policy: changeWebhooks,
  raw: true,
  async handle(ctx, { stream, headers }) {
    const form = await formOf(stream, headers['content-type'])
    const url = required(form, 'hub.callback')
    const topic = required(form, 'hub.topic')
    const mode = required(form, 'hub.mode')
    const asked = typesOfTopic(topic)
    const now = ctx.clock.now()
    if (mode === 'unsubscribe') {
      const next_attempt_at = new Date(now).toISOString()
      await webhooks.update(ctx.db, { url, topic }, { state: 'leaving', failures: 0, next_attempt_at })
      ctx.signal(deliveriesId)
      return reply(undefined, { status: 202 })
    }
    if (mode !== 'subscribe') throw new BadRequest('hub.mode must be subscribe or unsubscribe.')
    const lease = Math.min(longestLease, Math.max(day, Number(form.get('hub.lease_seconds')) || defaultLease))
    const secret = form.get('hub.secret')
    if (secret !== null && Buffer.byteLength(secret) >= 200) throw new BadRequest('hub.secret must be below 200 bytes.')
    const expires_at = new Date(now + lease * 1000).toISOString()
    await addWebhook(ctx, { url, topic, secret, types: asked, format: 'atom', state: 'verifying', expires_at })
    return reply(undefined, { status: 202 })
  },
})

function required(form: URLSearchParams, name: string): string {
  const value = form.get(name)
  if (!value || value.length > 2048) throw new BadRequest(`${name} is missing, or too long.`)
  return value
}

async function formOf(stream: Readable, type: string | undefined): Promise<URLSearchParams> {
  if (type?.split(';')[0]?.trim().toLowerCase() !== 'application/x-www-form-urlencoded')
    throw new UnsupportedMediaType('Subscriptions are forms: send application/x-www-form-urlencoded.')
  return new URLSearchParams(await bodyText(stream, mostBytes))
}
