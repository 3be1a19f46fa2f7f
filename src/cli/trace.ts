/** `nephos trace`: what came of a request, from what the cloud keeps: its sagas with their steps, its events, and its lines of the log. */
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { FactColumns } from '#kernel/request-facts.ts'
import { type RequestRecord, recordOf, type StepRecord, type WorkRecord } from '#kernel/request-record.ts'
import { adminApi, answered } from './admin-api.ts'
import { readRunFile } from './data-dir.ts'
import { configured, keepsDatabase } from './database.ts'

export interface Moment {
  /** ISO 8601. */
  at: string
  text: string
}

const tookMs = (from: string, to: string) => `${Date.parse(to) - Date.parse(from)} ms`

function stepMoment({ name, started_at, finished_at, failure }: StepRecord): Moment {
  const how = failure === null ? '' : ` failed: ${failure}`
  return { at: started_at, text: `  ${name}${how} (${tookMs(started_at, finished_at)})` }
}

function undoMoment({ name, undo_started_at, undone_at }: StepRecord): Moment[] {
  if (undo_started_at === null || undone_at === null) return []
  return [{ at: undo_started_at, text: `  undo ${name} (${tookMs(undo_started_at, undone_at)})` }]
}

function workMoments({ name, subject, state, user_id, project_id, steps, ...work }: WorkRecord): Moment[] {
  const { started_at, updated_at, failure, failed_step } = work
  const who = user_id ? ` for user ${user_id}${project_id ? ` of project ${project_id}` : ''}` : ''
  const why = failure === null ? '' : `: ${failure}${failed_step ? ` (in "${failed_step}")` : ''}`
  const goesOn = state === 'running' || state === 'unwinding'
  const now = goesOn ? `is ${state}` : `${state} after ${tookMs(started_at, updated_at)}${why}`
  return [
    { at: started_at, text: `${name} of ${subject} begins${who}` },
    ...steps.map(stepMoment),
    ...steps.toReversed().flatMap(undoMoment),
    { at: updated_at, text: `${name} ${now}` },
  ]
}

/** A caller's id may be that of several requests: then each moment says of which it is. */
const markedBy =
  (asked: string, own: unknown) =>
  ({ at, text }: Moment): Moment => ({ at, text: own === asked ? text : `[${String(own).slice(0, 12)}] ${text}` })

/** Everything that is known of a request, or of all that a caller sent under an id of its own, in the order of time. */
export function timelineOf({ works, events }: RequestRecord, id: string): Moment[] {
  const moments: Moment[] = []
  const callers = new Map<string, Moment>()
  const add = (row: FactColumns, at: string, more: Moment[]) => {
    const told = callerOf(row)
    const known = callers.get(row.request_id)
    if (told && (!known || at < known.at)) callers.set(row.request_id, { at, text: told })
    moments.push(...more.map(markedBy(id, row.request_id)))
  }
  for (const work of works) add(work, work.started_at, workMoments(work))
  for (const event of events) {
    const { at, type, resource_id } = event
    add(event, at, [{ at, text: `event ${type}${resource_id ? ` of ${resource_id}` : ''}` }])
  }
  return inOrder([...callers.values(), ...moments])
}

/** What a request's caller said of it. */
function callerOf({ request_id, global_request_id, client_tag }: FactColumns): string | undefined {
  const said = [
    ...(global_request_id ? [`part of ${global_request_id}`] : []),
    ...(client_tag ? [`client tag ${client_tag}`] : []),
  ]
  return said.length > 0 ? `request ${request_id}: ${said.join(', ')}` : undefined
}

/** Members of a line of the log that say nothing of their own in a timeline. */
const knownMembers = ['level', 'time', 'msg', 'request_id', 'user_id']

/** The lines of a log file (JSON, one a line) that are about a request, by our id or its caller's. */
export async function logMoments(file: string, id: string): Promise<Moment[]> {
  if (!existsSync(file)) return []
  const moments: Moment[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) {
    // Most lines are of others: they need not be read.
    if (!line.includes(id)) continue
    const entry = parsed(line)
    if (!entry || typeof entry.time !== 'number') continue
    if (entry.request_id !== id && entry.global_request_id !== id) continue
    const more = Object.entries(entry).filter(([name]) => !knownMembers.includes(name))
    const about = more.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    const text = `log: ${entry.msg} (${about.join(', ')})`.slice(0, 500)
    moments.push(markedBy(id, entry.request_id)({ at: new Date(entry.time).toISOString(), text }))
  }
  return moments
}

/** The last line may be half-written. */
function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const inOrder = (moments: Moment[]) => moments.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))

/** Of a cloud that is kept the database says it, whether the cloud runs or not; of one that is not, the cloud itself. */
async function recordIn(data: string, request: string): Promise<RequestRecord> {
  if (keepsDatabase(data) || !readRunFile(data)) {
    await using database = await configured(data)
    return await recordOf(database.root, request)
  }
  const api = await adminApi(data)
  const answer = await api.event<{ request: RequestRecord }>(`/requests/${encodeURIComponent(request)}`)
  return answer.status === 404 ? { works: [], events: [] } : answered(answer).request
}

/** Exit code 1 when nothing is known of the request. */
export async function trace({ data, request }: { data: string; request: string }): Promise<number> {
  const record = await recordIn(data, request)
  const logged = await logMoments(join(data, 'nephos.log'), request)
  const timeline = inOrder([...timelineOf(record, request), ...logged])
  const [first] = timeline
  if (!first) {
    console.error(
      `Nothing is known of request ${request}: it started no work, or its record has aged out. ` +
        'Answers carry their request id in the header x-openstack-request-id.',
    )
    return 1
  }
  console.log(`${request}, from ${first.at}`)
  for (const { at, text } of timeline) {
    const after = ((Date.parse(at) - Date.parse(first.at)) / 1000).toFixed(3)
    console.log(`${after.padStart(10)}s  ${text}`)
  }
  return 0
}
