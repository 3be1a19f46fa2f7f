/** What the cloud keeps of a request: the work that it began, with its steps, and the events of it. */
import type { Db } from './db/database.ts'
import { eventsOfRequest } from './events/events.ts'
import { type FactColumns, factColumns, factsIn } from './request-facts.ts'
import { failureOf, journal, type SagaRow, type StepRow } from './saga/journal.ts'

/** Times are ISO 8601. */
export interface RequestRecord {
  works: WorkRecord[]
  events: EventRecord[]
}

/** A saga. */
export interface WorkRecord extends FactColumns {
  name: string
  /** What it is about: a server's id. */
  subject: string
  state: SagaRow['state']
  user_id: string | null
  project_id: string | null
  started_at: string
  updated_at: string
  /** Why it failed, and in which step. */
  failure: string | null
  failed_step: string | null
  /** In the order in which they began. */
  steps: StepRecord[]
}

export interface StepRecord {
  name: string
  started_at: string
  finished_at: string
  failure: string | null
  /** Null: it was not undone. */
  undo_started_at: string | null
  undone_at: string | null
}

export interface EventRecord extends FactColumns {
  at: string
  type: string
  resource_id: string | null
}

const columnsOf = (row: FactColumns): FactColumns => factColumns(factsIn(row))

const stepOf = (step: StepRow): StepRecord => ({
  ...{ name: step.name, started_at: step.started_at, finished_at: step.finished_at },
  ...{ failure: failureOf(step) ?? null, undo_started_at: step.undo_started_at, undone_at: step.undone_at },
})

async function workOf(db: Db, saga: SagaRow): Promise<WorkRecord> {
  const { subject, state, user_id, project_id, started_at, updated_at, error } = saga
  return {
    ...{ name: saga.saga, subject, state, user_id, project_id, started_at, updated_at, ...columnsOf(saga) },
    ...{ failure: error?.message ?? null, failed_step: error?.step ?? null },
    steps: (await journal.steps(db, saga.id)).map(stepOf),
  }
}

/** By our id of a request, or by its caller's, which may be of several. Nothing of what was asked or made: that may be secret. */
export async function recordOf(db: Db, id: string): Promise<RequestRecord> {
  const works: WorkRecord[] = []
  for (const saga of await journal.ofRequest(db, id)) works.push(await workOf(db, saga))
  const events = await eventsOfRequest(db, id)
  return {
    works,
    events: events.map(event => ({
      ...{ at: event.at, type: event.type, resource_id: event.resource_id, ...columnsOf(event) },
    })),
  }
}
