/** Calls to the agents of hosts, from the control side. */
import { subjectWord } from '#kernel/bus/bus.ts'
import { type Client, client } from '#kernel/bus/methods.ts'
import type { Env } from '#kernel/context.ts'
import { type ComputeAgentMethods, computeAgentSubject, computeAgentVersion } from './agent/methods.ts'

export { type PowerState, powerStates } from './drivers/driver.ts'

const callTimeoutMs = 60_000

export function hostAgent(env: Env, host: string): Client<ComputeAgentMethods> {
  return client<ComputeAgentMethods>(env.bus, computeAgentSubject(subjectWord(host)), {
    timeoutMs: callTimeoutMs,
    version: computeAgentVersion,
  })
}
