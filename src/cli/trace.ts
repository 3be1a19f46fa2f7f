/** `nephos trace`: what came of a request, from what the cloud keeps: its sagas with their steps, its events, and its lines of the log. */
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Db } from '#kernel/db/database.ts'
import { eventsOfRequest } from '#kernel/events/events.ts'
import { journal, type SagaRow, type StepRow } from '#kernel/saga/journal.ts'
import { configured } from './database.ts'

export interface Moment {
  /** ISO 8601. */
  at: string
  text: string
}

const tookMs = (from: string, to: string) => `${Date.parse(to) - Date.parse(from)} ms`

function stepMoment({ name, state, started_at, finished_at, error }: StepRow): Moment {
  const how = state === 'done' ? '' : ` ${state}${error ? `: ${error}` : ''}`
  return { at: started_at, text: `  ${name}${how} (${tookMs(started_at, finished_at)})` }
}

function sagaMoments({ saga, subject, state, user_id, project_id, started_at, updated_at, error }: SagaRow): Moment[] {
  const who = user_id ? ` for user ${user_id}${project_id ? ` of project ${project_id}` : ''}` : ''
  const begun = { at: started_at, text: `${saga} of ${subject} begins${who}` }
  if (state === 'running' || state === 'unwinding') return [begun, { at: updated_at, text: `${saga} is ${state}` }]
  const why = error ? `: ${error.message}${error.step ? ` (in "${error.step}")` : ''}` : ''
  return [begun, { at: updated_at, text: `${saga} ${state} after ${tookMs(started_at, updated_at)}${why}` }]
}

/** Everything that is known of a request, in the order of time. */
export async function timelineOf(db: Db, request: string): Promise<Moment[]> {
  const moments: Moment[] = []
  for (const saga of await journal.ofRequest(db, request)) {
    const [begun, ...rest] = sagaMoments(saga)
    moments.push(begun!, ...(await journal.steps(db, saga.id)).map(stepMoment), ...rest)
  }
  for (const { at, type, resource_id } of await eventsOfRequest(db, request))
    moments.push({ at, text: `event ${type}${resource_id ? ` of ${resource_id}` : ''}` })
  return inOrder(moments)
}

/** Members of a line of the log that say nothing of their own in a timeline. */
const knownMembers = ['level', 'time', 'msg', 'request_id', 'user_id']

/** The lines of a log file (JSON, one a line) that are about a request. */
export async function logMoments(file: string, request: string): Promise<Moment[]> {
  if (!existsSync(file)) return []
  const moments: Moment[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) {
    // Most lines are of others: they need not be read.
    if (!line.includes(request)) continue
    const entry = parsed(line)
    if (entry?.request_id !== request || typeof entry.time !== 'number') continue
    const more = Object.entries(entry).filter(([name]) => !knownMembers.includes(name))
    const about = more.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    moments.push({
      at: new Date(entry.time).toISOString(),
      text: `log: ${entry.msg} (${about.join(', ')})`.slice(0, 500),
    })
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
