/** A fencing: an operator's command that makes sure that a host is off. */

/** `off`: its command says that the host is certainly off. */
export type FencingState = 'running' | 'off' | 'failed'

export interface FencingRow {
  id: string
  host: string
  state: FencingState
  /** When the host was last heard of before: one that reports again is not off any more. */
  host_seen: string
  /** How the command ended. */
  result: string | null
  /** The last of what it wrote. */
  output: string | null
  created_at: string
  ended_at: string | null
}
