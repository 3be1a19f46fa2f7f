/** Decides with a driver where there is one: filters drop hosts as ever, and of the rest the driver chooses. */
import { type Choice, type Driver, DriverAway } from './extensions.ts'
import {
  type HostState,
  passing,
  type Refused,
  type Schedule,
  type ScheduleRequest,
  type SchedulerOptions,
  schedule,
} from './scheduler.ts'

export type Deciding = SchedulerOptions & { driver?: Driver | undefined }

export async function decide(
  request: ScheduleRequest,
  hosts: readonly HostState[],
  options: Deciding,
): Promise<Schedule> {
  const { driver, keep } = options
  if (!driver) return schedule(request, hosts, options)
  const { passed, refused } = passing(request, hosts, options)
  if (passed.length === 0) return { best: [], refused }
  const { most = passed.length } = driver
  const told = passed.length <= most ? passed : schedule(request, passed, { ...options, filters: [], keep: most }).best
  const byName = new Map(told.map(host => [host.host, host]))
  const choice = await chosenBy(driver, request, told, keep)
  const best = [...new Set(choice.hosts)].flatMap(name => byName.get(name) ?? []).slice(0, keep)
  if (best.length > 0) return { best, refused }
  return { best, refused: [...refused, ...unchosen(told, choice)], ...(choice.away && { away: true }) }
}

/** A driver that fails has chosen nothing, and says so wherever a filter's refusal would be read. */
async function chosenBy(
  driver: Driver,
  request: ScheduleRequest,
  passed: readonly HostState[],
  keep: number,
): Promise<Choice & Pick<Schedule, 'away'>> {
  try {
    return await driver.choose(request, passed, { keep })
  } catch (error) {
    const had = `it failed: ${error instanceof Error ? error.message : String(error)}`
    const refused = passed.map(({ host }) => ({ host, ...byDriver, had }))
    return { hosts: [], refused, ...(error instanceof DriverAway && { away: true }) }
  }
}

const byDriver = { filter: 'SchedulerDriver', asked: 'a host that the driver chooses' }

function unchosen(passed: readonly HostState[], { refused = [] }: Choice): Refused[] {
  const said = new Map(refused.map(one => [one.host, one]))
  return passed.map(({ host }) => said.get(host) ?? { host, ...byDriver, had: 'not chosen' })
}
