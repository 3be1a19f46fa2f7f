/** Sends events to webhooks: in order, at least once, signed, each tried again until its server takes it. */
import { createHmac } from 'node:crypto'
import { type Ctx, type Env, perCloud } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import type { LoggedEvent } from '#kernel/events/events.ts'
import { sendTo } from '#kernel/http/outside.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { atomFeed, atomType } from '../atom.ts'
import { eventConfig } from '../config.ts'
import { hubPath } from '../paths.ts'
import { deliveriesId, outsideOf } from './steps.ts'
import { webhooks } from './store.ts'
import type { WebhookRow } from './webhook.ts'

const page = 100
const pagesAtOnce = 5
const together = 8
const longestWaitMs = 600_000
/** Of answers nothing but their status counts, and a challenge that is sent back. */
const mostAnswerBytes = 1024
/** A subscriber who does not answer to being asked is forgotten. */
const verifyAttempts = 3
/** Many events are announced at the same time; they are sent together. */
const gatherMs = 100

const known = perCloud(() => ({ some: true, waiting: false }))

/** Looks for what is to be sent whenever something was announced, once there are webhooks. */
export function followEvents(env: Env): AsyncDisposable {
  const state = known(env)
  return env.bus.subscribe('events.>', () => {
    if (!state.some || state.waiting) return
    state.waiting = true
    env.clock.after(gatherMs, () => {
      state.waiting = false
      env.signal(deliveriesId)
    })
  })
}

export const deliveries = reconciler({
  id: deliveriesId,
  every: 10_000,
  async run(ctx) {
    const all = await webhooks.list(ctx.db, {})
    known(ctx).some = all.length > 0
    const now = new Date(ctx.clock.now()).toISOString()
    const due = all.filter(({ state, next_attempt_at }) => state !== 'resting' && next_attempt_at <= now)
    for (let first = 0; first < due.length; first += together)
      await Promise.all(due.slice(first, first + together).map(row => attend(ctx, row)))
  },
})

async function attend(ctx: Ctx, row: WebhookRow): Promise<void> {
  const now = ctx.clock.now()
  if (row.expires_at !== null && Date.parse(row.expires_at) <= now) return forget(ctx, row)
  try {
    if (row.state === 'active') await sendNew(ctx, row)
    else await verify(ctx, row)
  } catch (error) {
    await failed(ctx, row, error)
  }
}

const forget = async (ctx: Ctx, { id }: WebhookRow) => void (await webhooks.remove(ctx.db, { id }))

/** The webhook's server did not take it. */
class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  constructor(status: number) {
    super(`its server answered ${status}`)
    this.status = status
  }
}

async function sendNew(ctx: Ctx, row: WebhookRow): Promise<void> {
  for (let pages = 0; pages < pagesAtOnce; pages++) {
    const events = await ctx.events.since(ctx, row, { limit: page, types: row.types })
    for (const event of events) {
      const { type, body } = bodyOf(ctx, row, event)
      const { status } = await post(ctx, row, type, body)
      if (status < 200 || status >= 300) throw new Refused(status)
      const place = { tx: event.tx, seq: event.seq }
      const well = row.failures > 0 ? { failures: 0, failing_since: null, last_error: null } : {}
      // Deleted meanwhile, or begun anew: then this is not its place.
      if ((await webhooks.update(ctx.db, { id: row.id, state: 'active' }, { ...place, ...well })) === 0) return
      Object.assign(row, place, well)
    }
    if (events.length < page) return
  }
  ctx.signal(deliveriesId)
}

function bodyOf(ctx: Ctx, { format, topic }: WebhookRow, event: LoggedEvent): { type: string; body: string } {
  const content = ctx.events.notification(event, format === 'atom' ? 'versioned' : format)
  if (format !== 'atom') return { type: 'application/json', body: JSON.stringify(content) }
  const hub = `${ctx.publicUrl}${hubPath}`
  return {
    type: atomType,
    body: atomFeed({ self: topic, hub, now: event.at, events: [event], content: () => content }),
  }
}

function post(ctx: Ctx, { url, topic, secret }: WebhookRow, type: string, body: string) {
  const links = `<${ctx.publicUrl}${hubPath}>; rel="hub", <${topic}>; rel="self"`
  const headers = {
    'content-type': type,
    'content-length': String(Buffer.byteLength(body)),
    ...(secret !== null && { 'x-hub-signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` }),
    ...(topic !== '' && { link: links }),
  }
  return send(ctx, url, { method: 'POST', headers, body })
}

async function send(
  ctx: Ctx,
  url: string,
  asked: { method: 'GET' | 'POST'; headers: Record<string, string>; body: string },
) {
  const abort = new AbortController()
  const seconds = ctx.config.of(eventConfig).webhook_timeout_seconds
  using _timer = ctx.clock.after(seconds * 1000, () => abort.abort(new Error(`no answer within ${seconds} s`)))
  return sendTo(outsideOf(ctx), url, { ...asked, signal: abort.signal, maxBytes: mostAnswerBytes })
}

/** Asks a subscriber of the feed whether the request was its own. */
async function verify(ctx: Ctx, row: WebhookRow): Promise<void> {
  const { id, state, topic, expires_at } = row
  const challenge = ctx.ids.hex()
  const url = new URL(row.url)
  url.searchParams.set('hub.mode', state === 'leaving' ? 'unsubscribe' : 'subscribe')
  url.searchParams.set('hub.topic', topic)
  url.searchParams.set('hub.challenge', challenge)
  const left = Math.floor((Date.parse(expires_at ?? '') - ctx.clock.now()) / 1000)
  if (state === 'verifying') url.searchParams.set('hub.lease_seconds', String(left))
  const { status, text } = await send(ctx, url.href, { method: 'GET', headers: {}, body: '' })
  if (status < 200 || status >= 300 || text.trim() !== challenge) throw new Refused(status)
  if (state === 'leaving') return forget(ctx, row)
  await webhooks.update(ctx.db, { id, state }, { state: 'active', failures: 0, failing_since: null, last_error: null })
  ctx.signal(deliveriesId)
}

async function failed(ctx: Ctx, row: WebhookRow, error: unknown): Promise<void> {
  const now = ctx.clock.now()
  const failures = row.failures + 1
  // Meant to end, by the subscriber or by its server.
  if (row.state === 'verifying' && failures >= verifyAttempts) return forget(ctx, row)
  if (row.state === 'leaving' && failures >= verifyAttempts)
    return void (await webhooks.update(ctx.db, { id: row.id, state: 'leaving' }, { state: 'active', failures: 0 }))
  if (row.topic !== '' && error instanceof Refused && error.status === 410) return forget(ctx, row)
  const since = row.failing_since ?? new Date(now).toISOString()
  const patience = ctx.config.of(eventConfig).webhook_patience_hours * 3_600_000
  const rests = now - Date.parse(since) > patience || (error instanceof Refused && error.status === 410)
  const waitMs = Math.min(longestWaitMs, 1000 * 2 ** Math.min(failures, 20))
  const last_error = messageOf(error).slice(0, 255)
  await webhooks.update(
    ctx.db,
    { id: row.id, state: row.state },
    {
      failures,
      failing_since: since,
      last_error,
      next_attempt_at: new Date(now + waitMs).toISOString(),
      ...(rests && { state: 'resting' }),
    },
  )
  ctx.log.warn({ webhook: row.id, failures, err: last_error }, rests ? 'a webhook rests' : 'a webhook failed')
}
