/** Calls to the network agents of hosts, from the control side. One call a host at a time; who asks meanwhile shares the next. */
import { NoResponder, subjectWord } from '#kernel/bus/bus.ts'
import { client } from '#kernel/bus/methods.ts'
import { type Env, perCloud } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { type Coalesced, coalesced } from './agent/coalesced.ts'
import { type NetworkAgentMethods, networkAgentSubject, networkAgentVersion } from './agent/methods.ts'
import type { ConvergeReport } from './drivers/driver.ts'

const callTimeoutMs = 120_000

const syncs = perCloud(() => new Map<string, Coalesced<ConvergeReport>>())

function syncsOf(env: Env, host: string): Coalesced<ConvergeReport> {
  const all = syncs(env)
  let one = all.get(host)
  if (!one) {
    const agent = client<NetworkAgentMethods>(env.bus, networkAgentSubject(subjectWord(host)), {
      timeoutMs: callTimeoutMs,
      version: networkAgentVersion,
    })
    one = coalesced(() => agent.call('sync', null))
    all.set(host, one)
  }
  return one
}

/** Asks the host to take up its newest state, and does not wait. A lost call costs time: the host's next report finds it out. */
export function syncSoon(env: Env, host: string): void {
  syncsOf(env, host)
    .ask()
    .catch(error => {
      const level = error instanceof NoResponder ? 'debug' : 'warn'
      env.log[level]({ host, err: messageOf(error) }, 'the host was not asked to change its network; it will find out')
    })
}

/** Waits for the host to take up its state: by the call that is under way, or by one of its own. */
export function syncNow(env: Env, host: string): Promise<ConvergeReport> {
  return syncsOf(env, host).join()
}
