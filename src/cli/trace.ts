/** `nephos trace`: what came of a request, from what the cloud keeps: its sagas with their steps, its events, and its lines of the log. */
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Db } from '#kernel/db/database.ts'
import { eventsOfRequest } from '#kernel/events/events.ts'
import type { FactColumns } from '#kernel/request-facts.ts'
import { failureOf, journal, type SagaRow, type StepRow } from '#kernel/saga/journal.ts'
import { configured } from './database.ts'

export interface Moment {
  /** ISO 8601. */
  at: string
  text: string
}

const tookMs = (from: string, to: string) => `${Date.parse(to) - Date.parse(from)} ms`

function stepMoment(step: StepRow): Moment {
  const { name, started_at, finished_at } = step
  const failure = failureOf(step)
  const how = failure === undefined ? '' : ` failed: ${failure}`
  return { at: started_at, text: `  ${name}${how} (${tookMs(started_at, finished_at)})` }
}

function undoMoment({ name, undo_started_at, undone_at }: StepRow): Moment[] {
  if (undo_started_at === null || undone_at === null) return []
  return [{ at: undo_started_at, text: `  undo ${name} (${tookMs(undo_started_at, undone_at)})` }]
}

function sagaMoments({ saga, subject, state, user_id, project_id, started_at, updated_at, error }: SagaRow): Moment[] {
  const who = user_id ? ` for user ${user_id}${project_id ? ` of project ${project_id}` : ''}` : ''
  const begun = { at: started_at, text: `${saga} of ${subject} begins${who}` }
  if (state === 'running' || state === 'unwinding') return [begun, { at: updated_at, text: `${saga} is ${state}` }]
  const why = error ? `: ${error.message}${error.step ? ` (in "${error.step}")` : ''}` : ''
  return [begun, { at: updated_at, text: `${saga} ${state} after ${tookMs(started_at, updated_at)}${why}` }]
}

/** A caller's id may be that of several requests: then each moment says of which it is. */
const markedBy =
  (asked: string, own: unknown) =>
  ({ at, text }: Moment): Moment => ({ at, text: own === asked ? text : `[${String(own).slice(0, 12)}] ${text}` })

/** Everything that is known of a request, or of all that a caller sent under an id of its own, in the order of time. */
export async function timelineOf(db: Db, id: string): Promise<Moment[]> {
  const moments: Moment[] = []
  const callers = new Map<string, Moment>()
  const add = (row: FactColumns, at: string, more: Moment[]) => {
    const told = callerOf(row)
    const known = callers.get(row.request_id)
    if (told && (!known || at < known.at)) callers.set(row.request_id, { at, text: told })
    moments.push(...more.map(markedBy(id, row.request_id)))
  }
  for (const saga of await journal.ofRequest(db, id)) {
    const [begun, ...rest] = sagaMoments(saga)
    const steps = await journal.steps(db, saga.id)
    const undone = steps.toReversed().flatMap(undoMoment)
    add(saga, saga.started_at, [begun!, ...steps.map(stepMoment), ...undone, ...rest])
  }
  for (const event of await eventsOfRequest(db, id)) {
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

/** Exit code 1 when nothing is known of the request. */
export async function trace({ data, request }: { data: string; request: string }): Promise<number> {
  await using database = await configured(data)
  const logged = await logMoments(join(data, 'nephos.log'), request)
  const timeline = inOrder([...(await timelineOf(database.root, request)), ...logged])
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
