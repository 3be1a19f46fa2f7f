/** How a saga begins: a row of the journal, written in the caller's transaction. Whoever runs sagas finds it there. */
import type { Ctx, Identity } from '../context.ts'
import { factColumns } from '../request-facts.ts'
import { journal, type SagaRow, type UnfinishedSaga } from './journal.ts'
import type { Saga } from './saga.ts'

export type Known = ReadonlyMap<string, Saga>

export const revisionOf = (id: string, revision: number) => `${id}@${revision}`

export function byRevision(definitions: readonly Saga[]): Known {
  return new Map(definitions.map(d => [revisionOf(d.id, d.revision), d]))
}

export async function journalStart<Input>(
  ctx: Ctx,
  known: Known,
  definition: Saga<Input>,
  input: Input,
  subject: string,
): Promise<UnfinishedSaga> {
  const revision = revisionOf(definition.id, definition.revision)
  if (!known.has(revision)) throw new Error(`saga ${revision} is not in its service's list`)
  const row = newRow(ctx, definition, subject, input)
  return { ...row, nth: await journal.append(ctx.db, row) }
}

/** What was done at once, without a saga. */
export async function journalNote(ctx: Ctx, name: string, subject: string): Promise<void> {
  const row = newRow(ctx, { id: name, revision: 1, deadline: 0 }, subject, {})
  await journal.insert(ctx.db, { ...row, nth: 0, state: 'done' })
}

function newRow(
  ctx: Ctx,
  { id, revision, deadline }: { id: string; revision: number; deadline: number },
  subject: string,
  input: unknown,
): Omit<SagaRow, 'nth'> {
  const now = ctx.clock.now()
  return {
    id: ctx.ids.uuid(),
    saga: id,
    revision,
    subject,
    state: 'running',
    input,
    ...factColumns(ctx),
    identity: withoutToken(ctx.identity),
    project_id: ctx.identity.project_id ?? null,
    user_id: ctx.identity.user_id || null,
    started_at: new Date(now).toISOString(),
    updated_at: new Date(now).toISOString(),
    deadline_at: new Date(now + deadline).toISOString(),
    cancel: false,
    error: null,
  }
}

/** A journal keeps who asked, never with what secret. */
function withoutToken(identity: Identity): Record<string, unknown> {
  const { token: _token, ...rest } = identity
  return rest
}
