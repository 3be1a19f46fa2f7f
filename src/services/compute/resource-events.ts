/** Events of compute's other resources: what each keeps, for `notifications/` to read. */
import type { Ctx } from '#kernel/context.ts'
import type { SagaError } from '#kernel/saga/saga.ts'
import type { Aggregate } from './aggregates/aggregate.ts'
import { type FaultFacts, faultFacts } from './events.ts'
import type { FlavorRow } from './flavors/flavor.ts'
import type { HostRow } from './hosts/host.ts'
import type { KeypairRow } from './keypairs/keypair.ts'
import type { ServerGroupRow } from './server-groups/server-group.ts'

export type AggregateFacts = Pick<Aggregate, 'id' | 'uuid' | 'name' | 'hosts' | 'metadata'>
/** What became of each image on a host. */
export type ProgressFacts = Pick<Aggregate, 'id' | 'uuid' | 'name'> & {
  host: string
  images: Record<string, string>
  index: number
  total: number
}
export type FlavorFacts = FlavorRow & { projects: string[] }
export type KeypairFacts = Omit<KeypairRow, 'id' | 'created_at'> & { project_id: string | null }
export type GroupFacts = Omit<ServerGroupRow, 'created_at'> & { members: string[] }
export type ServiceFacts = Pick<HostRow, 'uuid' | 'disabled' | 'disabled_reason' | 'forced_down' | 'last_seen'> & {
  host: string
  version: number
}

/** Of what failed beside the actions of servers, which have errors of their own. */
export interface FailureFacts {
  /** `compute.ports.unplug` */
  operation: string
  /** Id of what it was done to. */
  subject: string
  fault: FaultFacts
}

const emit = (ctx: Ctx, type: string, id: string, facts: object) =>
  ctx.events.emit(ctx, type, id, facts as Record<string, unknown>)

const aggregateFacts = ({ id, uuid, name, hosts, metadata }: Aggregate): AggregateFacts => ({
  id,
  uuid,
  name,
  hosts,
  metadata,
})

/** What is done at once has a start and an end all the same: the aggregate as it was, and as it is. */
export async function tellAggregate(ctx: Ctx, action: string, was: Aggregate, is: Aggregate): Promise<void> {
  await emit(ctx, `aggregate.${action}.start`, was.uuid, aggregateFacts(was))
  await emit(ctx, `aggregate.${action}.end`, is.uuid, aggregateFacts(is))
}

export const tellFlavor = (ctx: Ctx, action: 'create' | 'update' | 'delete', row: FlavorRow, projects: string[]) =>
  emit(ctx, `flavor.${action}`, row.id, { ...row, projects } satisfies FlavorFacts)

export async function tellKeypair(
  ctx: Ctx,
  action: 'create' | 'import' | 'delete',
  row: Omit<KeypairRow, 'id' | 'created_at'>,
): Promise<void> {
  const { user_id, name, type, public_key, fingerprint } = row
  const facts: KeypairFacts = {
    user_id,
    name,
    type,
    public_key,
    fingerprint,
    project_id: ctx.identity.project_id ?? null,
  }
  for (const phase of ['start', 'end']) await emit(ctx, `keypair.${action}.${phase}`, name, facts)
}

export const tellGroup = (
  ctx: Ctx,
  action: 'create' | 'delete' | 'add_member',
  row: ServerGroupRow,
  members: string[],
) => {
  const { created_at: _created, ...facts } = row
  return emit(ctx, `server_group.${action}`, row.id, { ...facts, members } satisfies GroupFacts)
}

export const tellService = (ctx: Ctx, action: 'create' | 'update' | 'delete', row: Omit<HostRow, 'id'>) => {
  const { uuid, name: host, disabled, disabled_reason, forced_down, last_seen } = row
  const facts: ServiceFacts = { uuid, host, disabled, disabled_reason, forced_down, last_seen, version: 1 }
  return emit(ctx, `service.${action}`, uuid, facts)
}

/** What a saga without an event of its own tells when it fails. */
export const tellFailure = (ctx: Ctx, operation: string, subject: string, error: SagaError) =>
  emit(ctx, 'compute.exception', subject, { operation, subject, fault: faultFacts(error) } satisfies FailureFacts)
