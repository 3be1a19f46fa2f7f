/** The journal of sagas: what began, which steps are done, how it ended. It is also the record of instance actions. */
import { sql } from 'kysely'
import type { Db } from '../db/database.ts'
import { rows } from '../db/rows.ts'
import type { FactColumns } from '../request-facts.ts'
import type { SagaError } from './saga.ts'

export type SagaState = 'running' | 'unwinding' | 'done' | 'failed'

export interface SagaRow extends FactColumns {
  id: string
  saga: string
  revision: number
  /** What it is about: a server's id. Sagas of one subject run one after the other. */
  subject: string
  /** Among those of its subject that were not done when it began: they run in this order. Clocks of processes differ, and many begin in one millisecond. */
  nth: number
  state: SagaState
  input: unknown
  identity: Record<string, unknown>
  project_id: string | null
  user_id: string | null
  started_at: string
  updated_at: string
  deadline_at: string
  /** Set when it has to make way. */
  cancel: boolean
  error: SagaError | null
}

export interface StepRow {
  saga_id: string
  /** From 0; below it is what was claimed before the saga began, journaled only when it was given back. */
  seq: number
  name: string
  /** `failed`: it did not come to its end; what it did is not undone yet, or there is nothing to undo. */
  state: 'done' | 'undone' | 'failed'
  output: unknown
  started_at: string
  finished_at: string
  /** Why the saga failed here: in this step, or in what it came to. No step after it has begun. */
  error: string | null
  undo_started_at: string | null
  undone_at: string | null
}

/** Why a step came to nothing. Its saga may have gone on all the same: then its output says so. */
export function failureOf({ error, output }: Pick<StepRow, 'error' | 'output'>): string | undefined {
  const { failed } = (output ?? {}) as { failed?: unknown }
  return error ?? (typeof failed === 'string' ? failed : undefined)
}

declare module '../db/database.ts' {
  interface Tables {
    kernel_sagas: SagaRow
    kernel_saga_steps: StepRow
  }
}

const summary = [
  'id',
  'saga',
  'subject',
  'state',
  'request_id',
  'project_id',
  'user_id',
  'started_at',
  'updated_at',
] as const
export type SagaSummary = Pick<SagaRow, (typeof summary)[number]>

const unfinished = ['id', 'saga', 'subject', 'nth', 'started_at', 'cancel'] as const
export type UnfinishedSaga = Pick<SagaRow, (typeof unfinished)[number]>

const sagas = rows<SagaRow>('kernel_sagas', { json: ['input', 'identity', 'error'], bool: ['cancel'] })
const steps = rows<StepRow>('kernel_saga_steps', { json: ['output'] })

const open = ['running', 'unwinding'] as const

const inOrder = {
  orderBy: [
    { column: 'nth' as const, direction: 'asc' as const },
    { column: 'started_at' as const, direction: 'asc' as const },
    { column: 'id' as const, direction: 'asc' as const },
  ],
}

const newest = {
  orderBy: [
    { column: 'started_at' as const, direction: 'desc' as const },
    { column: 'id' as const, direction: 'desc' as const },
  ],
}

export const journal = {
  insert: (db: Db, row: SagaRow) => sagas.insert(db, row),
  /** After those of its subject that are not done; returns which it is. */
  async append(db: Db, row: Omit<SagaRow, 'nth'>): Promise<number> {
    const nth = db
      .selectFrom('kernel_sagas')
      .select(({ fn, lit }) => sql<number>`${fn.coalesce(fn.max('nth'), lit(0))} + 1`.as('nth'))
      .where('subject', '=', row.subject)
      .where('state', 'in', open)
    const values = { ...(sagas.encode(row) as unknown as SagaRow), nth }
    const added = await db.insertInto('kernel_sagas').values(values).returning('nth').executeTakeFirstOrThrow()
    return added.nth
  },
  get: (db: Db, id: string) => sagas.find(db, { id }),
  update: (db: Db, id: string, patch: Partial<SagaRow>) => sagas.update(db, { id }, patch),
  /** Looked for often, and what they are about may be long: that is read by who runs them. */
  unfinished: (db: Db): Promise<UnfinishedSaga[]> => sagas.pick(db, unfinished, { state: open }, inOrder),
  unfinishedOf: (db: Db, subject: string): Promise<UnfinishedSaga[]> =>
    sagas.pick(db, unfinished, { subject, state: open }, inOrder),
  cancel: (db: Db, subject: string) => sagas.update(db, { subject, state: open }, { cancel: true }),
  /** The newest first. There may be thousands: what each was about, and why it failed, is read of one at a time. */
  ofSubject: (db: Db, subject: string | readonly string[]): Promise<SagaSummary[]> =>
    sagas.pick(db, summary, { subject }, newest),
  /** What a request did to subjects, the newest first. */
  ofSubjectAndRequest: (db: Db, subject: readonly string[], request_id: string) =>
    sagas.list(db, { subject, request_id }, newest),
  /** By our id of a request, or by its caller's, which may be of several. */
  async ofRequest(db: Db, id: string): Promise<SagaRow[]> {
    return [...(await sagas.list(db, { request_id: id })), ...(await sagas.list(db, { global_request_id: id }))]
  },
  steps: (db: Db, sagaId: string) =>
    steps.list(db, { saga_id: sagaId }, { orderBy: [{ column: 'seq', direction: 'asc' }] }),
  addStep: (db: Db, row: StepRow) => steps.insert(db, row),
  updateStep: (db: Db, sagaId: string, seq: number, patch: Partial<StepRow>) =>
    steps.update(db, { saga_id: sagaId, seq }, patch),
  /** Removes finished sagas that ended before a time, some hundreds at once; says how many. */
  async expire(db: Db, before: string): Promise<number> {
    const old = { state: ['done', 'failed'], updated_at: { op: '<', value: before } } as const
    for (let removed = 0; ; ) {
      const ids = (await sagas.pick(db, ['id'], old, { limit: 500 })).map(row => row.id)
      await steps.remove(db, { saga_id: ids })
      removed += await sagas.remove(db, { id: ids })
      if (ids.length < 500) return removed
    }
  },
}
