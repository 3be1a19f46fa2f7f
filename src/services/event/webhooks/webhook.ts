/** A webhook: an address that events are sent to. Those of an Atom feed's subscribers (WebSub) are verified first. */
import type { Position } from '#kernel/events/events.ts'

export type WebhookFormat = 'versioned' | 'unversioned' | 'atom'

/** `verifying` and `leaving`: its server is asked whether that is so. `resting`: it failed for too long. */
export type WebhookState = 'verifying' | 'leaving' | 'active' | 'resting'

export interface WebhookRow extends Position {
  id: string
  url: string
  /** The address of the feed that was subscribed to; empty for others. */
  topic: string
  secret: string | null
  types: string[]
  format: WebhookFormat
  state: WebhookState
  user_id: string
  failures: number
  failing_since: string | null
  next_attempt_at: string
  last_error: string | null
  /** Of a feed's subscribers. */
  expires_at: string | null
  created_at: string
}
