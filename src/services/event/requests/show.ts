/** What came of a request, for those who look into it: `nephos trace` prints it. Not upstream's. */
import { NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { recordOf, type WorkRecord } from '#kernel/request-record.ts'
import { Type } from '#kernel/schema/builders.ts'
import { readRequests } from '../rules.ts'

const text = Type.String()
const textOrNull = Type.Union([text, Type.Null()])
const facts = { request_id: text, global_request_id: textOrNull, client_tag: textOrNull }

const step = Type.Object({
  ...{ name: text, started_at: text, finished_at: text, failure: textOrNull },
  ...{ undo_started_at: textOrNull, undone_at: textOrNull },
})
const work = Type.Object({
  ...{ name: text, subject: text, user_id: textOrNull, project_id: textOrNull, started_at: text, updated_at: text },
  state: Type.Unsafe<WorkRecord['state']>({ type: 'string', enum: ['running', 'unwinding', 'done', 'failed'] }),
  ...{ failure: textOrNull, failed_step: textOrNull, steps: Type.Array(step), ...facts },
})
const event = Type.Object({ at: text, type: text, resource_id: textOrNull, ...facts })

export const showRequest = operation({
  id: 'event.requests.show',
  method: 'GET',
  path: '/v1/requests/{request_id}',
  summary:
    "Show what came of a request, by the cloud's id of it or by its caller's: its work, step by step, and its events",
  policy: readRequests,
  response: Type.Object({ request: Type.Object({ works: Type.Array(work), events: Type.Array(event) }) }),
  async handle(ctx, { params: { request_id } }) {
    const request = await recordOf(ctx.db, request_id)
    if (request.works.length + request.events.length === 0)
      throw new NotFound(`Nothing is known of request ${request_id}: it started no work, or its record has aged out.`)
    return { request }
  },
})
