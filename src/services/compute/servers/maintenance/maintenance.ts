/** A maintenance: something that is done to many servers, a few at a time, until all are done or have said why not. */
import type { LiveWish } from '../moves/migration.ts'

/** `drain` empties a host; `suspend` and `resume` are before and after its restart; `balance` moves servers to even out hosts. */
export type MaintenanceKind = 'drain' | 'suspend' | 'resume' | 'balance'

/** `cancelling`: nothing more is begun. `incomplete`: some servers were refused or failed, and say why. */
export type MaintenanceState = 'running' | 'cancelling' | 'done' | 'incomplete' | 'cancelled' | 'failed'

export const goingStates = ['running', 'cancelling'] as const

export interface MaintenanceRow {
  id: string
  kind: MaintenanceKind
  /** Null when it is about many. */
  host: string | null
  live: LiveWish
  /** How many servers at a time. */
  together: number
  state: MaintenanceState
  /** Why it failed as a whole. */
  problem: string | null
  created_at: string
  ended_at: string | null
}

/** `refused`: it could not begin; `failed`: it began and was undone; `left`: it never had its turn. */
export const serverStates = ['waiting', 'going', 'done', 'refused', 'failed', 'left'] as const
export type MaintainedState = (typeof serverStates)[number]

/** What is done to one server. */
export type Act = 'live' | 'cold' | 'offload' | 'suspend' | 'resume'

export interface MaintainedRow {
  maintenance_id: string
  server_id: string
  position: number
  from_host: string
  /** Where it is to go; null: wherever the scheduler likes. */
  to_host: string | null
  act: Act | null
  /** The id of its move, as os-migrations shows it. */
  move: string | null
  state: MaintainedState
  /** Why it is in this state. */
  reason: string | null
  /** When it got into it; while it waits: when it was found to be busy so. */
  since: string
}

/** What its saga is about, and what a host says that is out of use for it. */
export const nameOf = (id: string) => `maintenance ${id}`
