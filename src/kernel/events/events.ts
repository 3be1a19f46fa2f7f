/** Events: one envelope, one durable log. Written in the transaction of what they tell of; announced on the bus after its commit. */
import type { Ctx } from '../context.ts'
import type { Db } from '../db/database.ts'
import { rows } from '../db/rows.ts'

export interface Event {
  id: string
  /** As upstream names it: `compute.instance.create.end`. */
  type: string
  /** ISO 8601. */
  at: string
  request_id: string
  project_id: string | null
  user_id: string | null
  /** Id of what it is about. */
  resource_id: string | null
  payload: Record<string, unknown>
}

interface EventRow extends Event {
  /** Grows with every event; readers remember the last they saw. */
  seq?: number
}

declare module '../db/database.ts' {
  interface Tables {
    kernel_events: EventRow
  }
}

const table = rows<EventRow>('kernel_events', { json: ['payload'] })

export interface Events {
  emit(ctx: Ctx, type: string, resourceId: string | null, payload: Record<string, unknown>): Promise<void>
  /** Events after a sequence number, oldest first. */
  since(ctx: Ctx, seq: number, limit: number): Promise<(Event & { seq: number })[]>
}

/** Events of one request, oldest first. */
export function eventsOfRequest(db: Db, requestId: string): Promise<Event[]> {
  return table.list(db, { request_id: requestId }, { orderBy: [{ column: 'seq', direction: 'asc' }] })
}

export function createEvents(): Events {
  return {
    async emit(ctx, type, resourceId, payload) {
      const event: Event = {
        id: ctx.ids.uuid(),
        type,
        at: new Date(ctx.clock.now()).toISOString(),
        request_id: ctx.requestId,
        project_id: ctx.identity.project_id ?? null,
        user_id: ctx.identity.user_id || null,
        resource_id: resourceId,
        payload,
      }
      await table.insert(ctx.db, event)
      ctx.afterCommit(() => ctx.bus.publish(`events.${type}`, event))
    },
    async since(ctx, seq, limit) {
      const found = await table.list(
        ctx.db,
        { seq: { op: '>', value: seq } },
        { orderBy: [{ column: 'seq', direction: 'asc' }], limit },
      )
      return found as (Event & { seq: number })[]
    },
  }
}
