/** What was done to a server: read from the journal of sagas, each with its steps as events. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { failureOf, journal, type SagaRow, type SagaSummary, type StepRow } from '#kernel/saga/journal.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { isAdmin, linksSchema, naiveTime, pageQuery, paging, query } from '../dialect.ts'
import { workSubjects } from './guest-works/guest-work.ts'
import type { ServerRow } from './server.ts'
import { softwareSubject } from './software/software.ts'
import { deletedServer, findServer } from './store.ts'
import { hostIdOf } from './view.ts'

const path = '/v2.1/servers/{server_id}/os-instance-actions'
const prefix = 'compute.servers.'
const nullable = Type.Union([Type.String(), Type.Null()])

const eventRule = rule('os_compute_api:os-instance-actions:events', admin)
const detailRule = rule('os_compute_api:os-instance-actions:events:details', admin)
export const instanceActionRules = [eventRule, detailRule]

const summary = {
  action: Type.String(),
  instance_uuid: Type.String(),
  request_id: Type.String(),
  user_id: nullable,
  project_id: nullable,
  start_time: Type.String(),
  message: nullable,
  updated_at: since('2.58', Type.String()),
}
const event = Type.Object({
  event: Type.String(),
  start_time: Type.String(),
  finish_time: nullable,
  result: nullable,
  traceback: Type.Optional(nullable),
  hostId: since('2.62', Type.String()),
  host: since('2.62', nullable),
  details: since('2.84', nullable),
})
const detail = Type.Object({ ...summary, events: Type.Optional(Type.Array(event)) })

/** The server, also a deleted one from 2.21 on. */
async function loadAny(ctx: Ctx, { params }: { params: { server_id: string } }): Promise<ServerRow> {
  const id = params.server_id
  const server = (await findServer(ctx, id)) ?? (ctx.atLeast('2.21') ? await deletedServer(ctx, id) : undefined)
  if (!server || (server.project_id !== ctx.identity.project_id && !isAdmin(ctx))) {
    throw new NotFound(`Instance ${id} could not be found.`)
  }
  return server
}

function view(row: SagaSummary, id: string) {
  return {
    action: row.saga.slice(prefix.length),
    instance_uuid: id,
    request_id: row.request_id,
    user_id: row.user_id,
    project_id: row.project_id,
    start_time: naiveTime(row.started_at),
    message: row.state === 'failed' ? 'Error' : null,
    updated_at: naiveTime(row.updated_at),
  }
}

const subjectsOf = (id: string) => [id, softwareSubject(id), ...workSubjects(id)]
const isAction = ({ saga }: SagaSummary) => saga.startsWith(prefix)

/** The failure of a step whose saga went on may be told in words of the guest's, which are its owner's to read; others are for admins. */
function resultOf(ctx: Ctx, step: StepRow): { result: 'Success' | 'Error'; details: string | null } {
  const failure = failureOf(step)
  if (failure === undefined) return { result: 'Success', details: null }
  const { of_guest } = (step.output ?? {}) as { of_guest?: true }
  return { result: 'Error', details: of_guest === true || ctx.can(detailRule) ? failure : null }
}

/** From 2.51 on everyone sees the events; what went wrong inside is for admins. */
function eventsOf(ctx: Ctx, server: ServerRow, row: SagaRow, steps: StepRow[]): Static<typeof event>[] {
  const host = server.host ?? (row.input as { host?: string }).host ?? null
  const told = (name: string, from: string, to: string, details: string | null | undefined) => ({
    event: name,
    start_time: naiveTime(from),
    finish_time: naiveTime(to),
    hostId: server.host === null ? '' : hostIdOf(server),
    ...(ctx.can(eventRule) && { host, traceback: details ?? null }),
  })
  const failed = row.error
  const events: Static<typeof event>[] = steps.map(step => ({
    ...told(step.name, step.started_at, step.finished_at, step.error === null ? null : failed?.details),
    ...resultOf(ctx, step),
  }))
  if (failed && !steps.some(step => step.error !== null)) {
    events.push({
      ...told(failed.step ?? row.saga.slice(prefix.length), row.updated_at, row.updated_at, failed.details),
      ...{ result: 'Error', details: ctx.can(detailRule) ? failed.message : null },
    })
  }
  for (const { name, undo_started_at, undone_at } of steps.toReversed()) {
    if (undo_started_at === null || undone_at === null) continue
    events.push({ ...told(`undo ${name}`, undo_started_at, undone_at, null), result: 'Success', details: null })
  }
  return events.reverse()
}

export const instanceActionOperations: Operation[] = [
  operation({
    id: 'compute.instance_actions.list',
    method: 'GET',
    path,
    summary: 'List what was done to a server',
    policy: rule('os_compute_api:os-instance-actions:list', projectReaderOrAdmin),
    load: loadAny,
    query: query({
      ...pageQuery,
      'changes-since': Type.Optional(Type.String({ format: 'date-time' })),
      'changes-before': since('2.66', Type.String({ format: 'date-time' })),
    }),
    response: Type.Object({ instanceActions: Type.Array(Type.Object(summary)), links: since('2.58', linksSchema) }),
    async handle(ctx, { target, query: asked, url }) {
      const all = (await journal.ofSubject(ctx.db, subjectsOf(target.id))).filter(isAction)
      if (!ctx.atLeast('2.58')) return { instanceActions: all.map(row => view(row, target.id)) }
      const page = paging(ctx, asked.limit)
      const at = asked.marker === undefined ? -1 : all.findIndex(row => row.request_id === asked.marker)
      if (asked.marker !== undefined && at < 0) throw new BadRequest(`marker [${asked.marker}] not found`)
      const [from, to] = [asked['changes-since'], asked['changes-before']].map(
        time => time && new Date(time).toISOString(),
      )
      const shown = all
        .slice(at + 1)
        .filter(row => (!from || row.updated_at >= from) && (!to || row.updated_at <= to))
        .slice(0, page.limit)
      return {
        instanceActions: shown.map(row => view(row, target.id)),
        ...page.links('links', url, shown.length, shown.at(-1)?.request_id),
      }
    },
  }),
  operation({
    id: 'compute.instance_actions.show',
    method: 'GET',
    path: `${path}/{request_id}`,
    summary: 'Show an action on a server with its events',
    policy: rule('os_compute_api:os-instance-actions:show', projectReaderOrAdmin),
    load: loadAny,
    response: Type.Object({ instanceAction: detail }),
    async handle(ctx, { target, params }) {
      const ofRequest = await journal.ofSubjectAndRequest(ctx.db, subjectsOf(target.id), params.request_id)
      const row = ofRequest.find(isAction)
      if (!row) throw new NotFound(`Action for request_id ${params.request_id} on instance ${target.id} not found`)
      const showEvents = ctx.atLeast('2.51') || ctx.can(eventRule)
      const events = showEvents ? eventsOf(ctx, target, row, await journal.steps(ctx.db, row.id)) : undefined
      return { instanceAction: { ...view(row, target.id), ...(events && { events }) } }
    },
  }),
]
