/** What the cloud itself has to do in guests, by their agents, as soon as they run. */

export const works = ['grow_disk'] as const
export type GuestWork = (typeof works)[number]

/** There for as long as it is to be done. */
export interface GuestWorkRow {
  server_id: string
  work: GuestWork
  /** `waiting`: for the server to be active. */
  status: 'waiting' | 'running'
}

/** Of the saga that a work is. Its own: what else is done to the server does not wait for it. */
export const workSubject = (serverId: string, work: GuestWork) => `${work} of ${serverId}`

export const workSubjects = (serverId: string) => works.map(work => workSubject(serverId, work))
