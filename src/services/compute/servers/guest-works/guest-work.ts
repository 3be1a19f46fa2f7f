/** What the cloud itself has to do in guests, by their agents, as soon as they run. */

import type { Silence } from '../software/silence.ts'

export const works = ['grow_disk', 'update_agent'] as const
export type GuestWork = (typeof works)[number]

/** There for as long as it is to be done. */
export interface GuestWorkRow extends Silence {
  server_id: string
  work: GuestWork
  /** `waiting`: for the server to be active, or for its agent. */
  status: 'waiting' | 'running'
}

/** What is known of the agent in a guest. */
export interface GuestAgentRow {
  server_id: string
  /** As it said itself; null: it never answered. */
  version: string | null
  /** Of the build that it was to be brought up to; null: there was none. */
  wanted_version: string | null
  /** Why it was not. */
  message: string | null
  updated_at: string
}

/** Of the saga that a work is. Its own: what else is done to the server does not wait for it. */
export const workSubject = (serverId: string, work: GuestWork) => `${work} of ${serverId}`

export const workSubjects = (serverId: string) => works.map(work => workSubject(serverId, work))
