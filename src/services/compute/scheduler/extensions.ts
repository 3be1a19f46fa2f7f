/** What operators bring themselves: filters and weighers under names of their own, and a driver that chooses instead of all weighers. */
import type { Filter } from './filters.ts'
import type { HostState, Refused, ScheduleRequest } from './scheduler.ts'

/** The higher the figure, the better, where its weight is above 0. */
export type OwnWeigher = (host: HostState, request: ScheduleRequest) => number

export interface OwnHint {
  name: string
  description: string
}

/** Chooses among the hosts that passed all filters. */
export interface Driver {
  /** How many hosts it is told of at the most: those that the cloud's own weights find best. */
  most?: number
  choose(request: ScheduleRequest, hosts: readonly HostState[], options: { keep: number }): Choice | Promise<Choice>
}

/** How long a driver may take for one server. */
export const choiceMs = 5000

/** A driver that is somewhere else is not there, or it is late: nothing was chosen, and later something may be. */
export class DriverAway extends Error {
  override readonly name = 'DriverAway'
}

export interface Choice {
  /** Names, best first; none when no host will do. */
  hosts: string[]
  /** Why not the others, as far as it says. */
  refused?: Refused[]
}

/** Of all modules together. */
export interface Extensions {
  filters: Readonly<Record<string, Filter>>
  weighers: Readonly<Record<string, OwnWeigher>>
  hints: readonly OwnHint[]
}

export const noExtensions: Extensions = { filters: {}, weighers: {}, hints: [] }
