/** Calls to the network agents of hosts, from the control side. One call a host at a time; who asks meanwhile shares the next. */
import { BusClosed, NoResponder, subjectWord } from '#kernel/bus/bus.ts'
import { client } from '#kernel/bus/methods.ts'
import type { Timer } from '#kernel/clock.ts'
import { type Env, perCloud } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { type Coalesced, coalesced } from './agent/coalesced.ts'
import { type NetworkAgentMethods, networkAgentSubject, networkAgentVersion } from './agent/methods.ts'
import type { ConvergeReport } from './drivers/driver.ts'

const callTimeoutMs = 120_000

/** How long hosts wait that only hear of their neighbours: others' ports often come in crowds. */
const gatherMs = 250

interface HostSync {
  calls: Coalesced<ConvergeReport>
  gathering: Timer | undefined
}

const syncs = perCloud(() => new Map<string, HostSync>())

function syncOf(env: Env, host: string): HostSync {
  const all = syncs(env)
  let one = all.get(host)
  if (!one) {
    const agent = client<NetworkAgentMethods>(env.bus, networkAgentSubject(subjectWord(host)), {
      timeoutMs: callTimeoutMs,
      version: networkAgentVersion,
    })
    one = { calls: coalesced(() => agent.call('sync', null)), gathering: undefined }
    all.set(host, one)
  }
  return one
}

/** Asks the host to take up its newest state, and does not wait. A lost call costs time: the host's next report finds it out. */
export function syncHost(env: Env, host: string): void {
  const sync = syncOf(env, host)
  sync.gathering?.cancel()
  sync.gathering = undefined
  sync.calls.ask().catch(error => {
    const level = error instanceof NoResponder || error instanceof BusClosed ? 'debug' : 'warn'
    env.log[level]({ host, err: messageOf(error) }, 'the host was not asked to change its network; it will find out')
  })
}

/** The same in a moment, together with what comes until then. */
export function syncHostSoon(env: Env, host: string): void {
  const sync = syncOf(env, host)
  sync.gathering ??= env.clock.after(gatherMs, () => syncHost(env, host))
}

/** Waits for the host to take up its state: by the call that is under way, or by one of its own. */
export function hostSynced(env: Env, host: string): Promise<ConvergeReport> {
  return syncOf(env, host).calls.join()
}
