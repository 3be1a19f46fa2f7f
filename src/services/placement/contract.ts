/** What placement offers the other services. Every function works in the caller's transaction. */
import type { Ctx } from '#kernel/context.ts'

export interface InventorySpec {
  total: number
  reserved?: number
  min_unit?: number
  max_unit?: number
  step_size?: number
  allocation_ratio?: number
}

export interface ProviderSpec {
  uuid: string
  name: string
  /** The provider above it; what changes of a child counts as a change of it. */
  parent?: string
  /** By resource class. */
  inventories: Record<string, InventorySpec>
  traits: string[]
  /** Custom traits and inventories that are not named stay: operators and daemons put them there. */
  keepsCustom?: boolean
}

export interface CandidateRequest {
  /** Amounts by resource class. */
  resources: Record<string, number>
  required_traits: string[]
  forbidden_traits: string[]
  /** Each group of aggregates must have the provider in at least one. */
  member_of: string[][]
  /** Only this provider tree. */
  in_tree?: string
  /** How many trees. */
  limit?: number
}

export interface Candidate {
  /** Amounts by resource class, by provider. Made when read: of a thousand candidates one is claimed. */
  readonly allocations: Record<string, Record<string, number>>
  /** The root provider: the host. */
  readonly root: string
  /** The root's generation: another one means that something about it may have changed. */
  readonly generation: number
  /** What is used of the root by class. */
  readonly used: Readonly<Record<string, number>>
}

/** Why a provider is no candidate, for explanations. */
export interface Refusal {
  provider: string
  name: string
  /** `VCPU`, `trait:HW_CPU_X86_AVX2`, `member_of` … */
  constraint: string
  asked: string
  had: string
}

/** What a provider has of a resource class. */
export interface Offer {
  uuid: string
  name: string
  capacity: number
  used: number
}

export interface ConsumerSpec {
  id: string
  project_id: string
  user_id: string
  /** `INSTANCE`, `MIGRATION` … */
  type: string
}

export interface Claim {
  consumer: ConsumerSpec
  allocations: Record<string, Record<string, number>>
}

export interface PlacementContract {
  /** The names that mean the same in every cloud. */
  standardNames: { traits: ReadonlySet<string>; resourceClasses: ReadonlySet<string> }
  /** Makes or changes a provider so that it is as said; traits and inventories that are not named go, those in use stay. Custom classes and traits are made. */
  ensureProvider(ctx: Ctx, provider: ProviderSpec): Promise<void>
  /** The providers right below one. */
  childrenOf(ctx: Ctx, uuid: string): Promise<{ uuid: string; name: string }[]>
  /** Removes a provider without allocations and without children. Throws `Conflict` when it has some, and nothing is changed then. */
  removeProvider(ctx: Ctx, uuid: string): Promise<void>
  /** Trees that can give what is asked for, each with one of its ways to. */
  candidates(ctx: Ctx, request: CandidateRequest): Promise<Candidate[]>
  /** For each provider that is no candidate, the first constraint that it failed. */
  explain(ctx: Ctx, request: CandidateRequest): Promise<Refusal[]>
  /** Replaces all allocations of a consumer. Throws `Conflict` when a provider lacks the room, and nothing is changed then. */
  claim(ctx: Ctx, consumer: ConsumerSpec, allocations: Record<string, Record<string, number>>): Promise<void>
  /** The same for several consumers: all of them have theirs then, or none has. */
  claimMany(ctx: Ctx, claims: readonly Claim[]): Promise<void>
  /** Gives all that a consumer has to another one, as it is: no room is asked for, even where a provider has less than is used. */
  handOver(ctx: Ctx, from: string, to: ConsumerSpec): Promise<void>
  /** Frees what a consumer has; unknown consumers are fine. */
  release(ctx: Ctx, consumerId: string): Promise<void>
  releaseMany(ctx: Ctx, consumerIds: readonly string[]): Promise<void>
  /** Ids of all consumers of a type that have something. */
  consumersOf(ctx: Ctx, type: string): Promise<string[]>
  allocationsOf(ctx: Ctx, consumerId: string): Promise<Record<string, Record<string, number>>>
  /** The same of several consumers, by id; those that have nothing are not in it. */
  allocationsOfMany(
    ctx: Ctx,
    consumerIds: readonly string[],
  ): Promise<Map<string, Record<string, Record<string, number>>>>
  /** Used amounts of a provider by class. */
  usagesOf(ctx: Ctx, provider: string): Promise<Record<string, number>>
  /** What providers have of a class: all, or those with these names. */
  offersOf(ctx: Ctx, resource_class: string, names?: readonly string[]): Promise<Offer[]>
  /** Makes others who would claim of a provider wait until the transaction ends, and those who remember it look at it anew. */
  holdProvider(ctx: Ctx, uuid: string): Promise<void>
  /** Puts a provider in exactly these aggregates. */
  setAggregates(ctx: Ctx, provider: string, aggregates: string[]): Promise<void>
}

declare module '#kernel/context.ts' {
  interface Contracts {
    placement: PlacementContract
  }
}
