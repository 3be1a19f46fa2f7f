/** A scheduler in a process of its own: it is told of a request and the hosts that passed the cloud's filters, and answers with names. */
import { type Bus, CallTimeout, NoResponder } from '#kernel/bus/bus.ts'
import { client, serveMethods } from '#kernel/bus/methods.ts'
import { decide } from './scheduler/decide.ts'
import { type Choice, choiceMs, type Driver, DriverAway } from './scheduler/extensions.ts'
import type { HostState, ScheduleRequest, SchedulerOptions } from './scheduler/scheduler.ts'

type Methods = {
  choose(input: { request: ScheduleRequest; hosts: HostState[]; keep: number }): Promise<Choice>
}

const subject = 'compute.scheduler'
const version = 1
/** A message to it stays small, however many hosts there are. */
const mostHosts = 200

/** Cells and devices stay: the cloud has fitted them, and only one process may give them out. */
const plainHost = ({ numa: _, ...host }: HostState): HostState => host
const plainRequest = ({ topology: _, devices: _devices, ...request }: ScheduleRequest): ScheduleRequest => request

/** Asks the process that serves; its failures are thrown, and that there is none or that it is silent as `DriverAway`. */
export function remoteDriver(bus: Bus): Driver {
  const calls = client<Methods>(bus, subject, { timeoutMs: choiceMs, version })
  return {
    most: mostHosts,
    async choose(request, hosts, { keep }) {
      try {
        return await calls.call('choose', { request: plainRequest(request), hosts: hosts.map(plainHost), keep })
      } catch (error) {
        throw error instanceof NoResponder || error instanceof CallTimeout ? new DriverAway(error.message) : error
      }
    },
  }
}

/** Serves with filters, weights and a driver of its own. */
export function serveScheduler(
  bus: Bus,
  options: Omit<SchedulerOptions, 'keep'> & { driver?: Driver | undefined },
): AsyncDisposable {
  return serveMethods<Methods>(bus, subject, version, {
    async choose({ request, hosts, keep }) {
      const { best, refused } = await decide(request, hosts, { ...options, keep })
      return { hosts: best.map(({ host }) => host), refused }
    },
  })
}
