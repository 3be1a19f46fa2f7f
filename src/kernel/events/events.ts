/** Events: one envelope, one durable log. Written in the transaction of what they tell of; announced on the bus after its commit. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Ctx } from '../context.ts'
import type { Db } from '../db/database.ts'
import { type AnyBuilder, type ListOptions, rows } from '../db/rows.ts'
import { type FactColumns, factColumns } from '../request-facts.ts'
import {
  announce,
  type Format,
  type Notification,
  notificationOf,
  notificationsOf,
  type Renderer,
  type Told,
} from './notification.ts'

export interface Event extends FactColumns {
  id: string
  /** As upstream names it: `compute.instance.create.end`. */
  type: string
  /** ISO 8601. */
  at: string
  project_id: string | null
  user_id: string | null
  /** Id of what it is about. */
  resource_id: string | null
  payload: Record<string, unknown>
}

/** Where in the log an event is. Readers remember that of the last they saw; nothing appears before it afterwards. */
export interface Position {
  /** The transaction that wrote it; on SQLite, where they come one after the other, 0. */
  tx: number
  seq: number
}

export type LoggedEvent = Event & Position
type EventRow = Event & Partial<Position>

declare module '../db/database.ts' {
  interface Tables {
    kernel_events: EventRow
  }
}

const table = rows<EventRow>('kernel_events', { json: ['payload'] })

export const beginning: Position = { tx: 0, seq: 0 }

export const positionText = ({ tx, seq }: Position) => `${tx}.${seq}`

/** Undefined for what is no position. */
export function positionOf(text: string): Position | undefined {
  const [, tx, seq] = /^(\d{1,15})\.(\d{1,15})$/.exec(text) ?? []
  return tx === undefined ? undefined : { tx: Number(tx), seq: Number(seq) }
}

export interface Reading {
  limit: number
  /** Types as they are named, or with a `*` at their end for all that begin so; none: every type. */
  types?: readonly string[]
}

export interface Events {
  emit(ctx: Ctx, type: string, resourceId: string | null, payload: Record<string, unknown>): Promise<void>
  /** Events in their order, with one statement. */
  emitAll(ctx: Ctx, told: readonly Pick<Event, 'type' | 'resource_id' | 'payload'>[]): Promise<void>
  /** Events after a place in the log, oldest first. */
  since(ctx: Ctx, after: Position, reading: Reading): Promise<LoggedEvent[]>
  /** Events before a place in the log (or the last ones), newest first. */
  before(ctx: Ctx, place: Position | undefined, reading: Reading): Promise<LoggedEvent[]>
  /** An event as notifications, in the formats that the configuration asks for unless one is named. */
  notifications(event: Event, format?: Format): Told[]
  /** An event as one notification, in this format if it has it. */
  notification(event: Event, format: Format): Notification
}

/** Events of a request, oldest first: by our id of it, or by its caller's, which may be of several. */
export async function eventsOfRequest(db: Db, id: string): Promise<Event[]> {
  const options: ListOptions<EventRow> = { orderBy: [{ column: 'seq', direction: 'asc' }] }
  return [
    ...(await table.list(db, { request_id: id }, options)),
    ...(await table.list(db, { global_request_id: id }, options)),
  ]
}

/** Forgets events from before a time (ISO 8601); says how many. */
export async function expireEvents(db: Db, before: string): Promise<number> {
  const orderBy = [{ column: 'seq', direction: 'asc' } as const]
  for (let removed = 0; ; ) {
    const oldest = await table.pick(db, ['seq', 'at'], {}, { orderBy, limit: 500 })
    const old = oldest.filter(({ at }) => at < before).map(({ seq }) => seq!)
    removed += await table.remove(db, { seq: old })
    if (old.length < 500) return removed
  }
}

/** `renderers` are those of the services. */
export function createEvents(renderers: readonly Renderer[], configured: Format): Events {
  const notifications = (event: Event, format = configured) => notificationsOf(renderers, event, format)
  const emitAll: Events['emitAll'] = async (ctx, told) => {
    const at = new Date(ctx.clock.now()).toISOString()
    const caller = { project_id: ctx.identity.project_id ?? null, user_id: ctx.identity.user_id || null }
    const events = told.map(({ type, resource_id, payload }): Event => {
      return { id: ctx.ids.uuid(), type, at, ...factColumns(ctx), ...caller, resource_id, payload }
    })
    await table.insertMany(ctx.db, events)
    for (const event of events) ctx.afterCommit(() => announce(ctx.bus, event, notifications(event)))
  }
  return {
    notifications,
    notification: (event, format) => notificationOf(renderers, event, format),
    emit: (ctx, type, resource_id, payload) => emitAll(ctx, [{ type, resource_id, payload }]),
    emitAll,
    since: (ctx, after, reading) => read(ctx, reading, 'asc', after),
    before: (ctx, place, reading) => read(ctx, reading, 'desc', place),
  }
}

async function read(
  ctx: Ctx,
  { limit, types = [] }: Reading,
  direction: 'asc' | 'desc',
  after: Position | undefined,
): Promise<LoggedEvent[]> {
  const postgres = ctx.database.engine === 'postgres'
  const columns = postgres ? (['tx', 'seq'] as const) : (['seq'] as const)
  const options: ListOptions<EventRow> = {
    orderBy: columns.map(column => ({ column, direction })),
    limit,
    ...(after && { after: after as EventRow }),
    also: eb => eb.and([...(postgres ? [settled] : []), ...(types.length > 0 ? [ofTypes(eb, types)] : [])]),
  }
  return (await table.list(ctx.db, {}, options)) as LoggedEvent[]
}

/**
 * Transactions that began before this one and are not over may still write: what came after them is told when they are. Those of other databases
 * of the server do not count, as far as we may see whose they are.
 */
const settled = sql<SqlBool>`tx < coalesce(
  (
    select min(running::text::bigint) from pg_snapshot_xip(pg_current_snapshot()) running
    where not exists (
      select 1 from pg_stat_activity other
      where other.datname <> current_database() and other.backend_xid::text::bigint = running::text::bigint % 4294967296
    )
  ),
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint
)`

function ofTypes(eb: AnyBuilder, types: readonly string[]): Expression<SqlBool> {
  return eb.or(
    types.map(type =>
      type.endsWith('*')
        ? sql<SqlBool>`${eb.ref('type')} like ${likeStart(type.slice(0, -1))} escape '\\'`
        : eb('type', '=', type),
    ),
  )
}

const likeStart = (text: string) => `${text.replace(/[%_\\]/g, found => `\\${found}`)}%`
