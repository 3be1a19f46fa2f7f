/** A move of a server: to another host, another flavor, or both. The API shows it as a migration. */
import type { ServerFlavor, VmState } from '../server.ts'

export type MoveType = 'migration' | 'resize' | 'live-migration' | 'evacuation'

/** Moves that may still change something or hold room. */
export const openStatuses = [
  'accepted',
  'pre-migrating',
  'queued',
  'preparing',
  'running',
  'migrating',
  'post-migrating',
  'finished',
  'reverting',
  'done',
] as const

export const endedStatuses = ['confirmed', 'reverted', 'completed', 'cancelled', 'failed', 'error'] as const

export type MoveStatus = (typeof openStatuses)[number] | (typeof endedStatuses)[number]

export interface MoveRow {
  /** As the API names it. */
  id: number
  /** The consumer that holds the source's room while the server has the target's. */
  uuid: string
  server_id: string
  project_id: string
  user_id: string
  type: MoveType
  status: MoveStatus
  source_host: string
  source_node: string | null
  dest_host: string | null
  dest_node: string | null
  dest_address: string | null
  /** Of the server before. */
  old_zone: string | null
  old_flavor: ServerFlavor
  new_flavor: ServerFlavor
  old_vm_state: VmState
  created_at: string
  updated_at: string
}

/** An evacuation that goes on. */
export const openEvacuation = {
  type: 'evacuation',
  status: ['accepted', 'pre-migrating'],
} as const satisfies { type: MoveType; status: MoveStatus[] }

/** Statuses of a live migration that goes on. */
export const liveStatuses: readonly MoveStatus[] = ['queued', 'preparing', 'running', 'post-migrating']

/** Of a move's input in the journal. */
export interface MoveBody {
  move: string
}
