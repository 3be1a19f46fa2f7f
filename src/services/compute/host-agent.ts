/** Calls to the agents of hosts, from the control side. */
import { subjectWord } from '#kernel/bus/bus.ts'
import { type Client, client } from '#kernel/bus/methods.ts'
import { type Env, perCloud } from '#kernel/context.ts'
import { type ComputeAgentMethods, computeAgentSubject, computeAgentVersion } from './agent/methods.ts'
import { ordersGiven, questions } from './agent/order.ts'

export { type PowerState, powerStates } from './drivers/driver.ts'

const callTimeoutMs = 60_000

/** Others may ask about the same guest meanwhile, but not for ever. */
const mostTries = 5

const orders = perCloud(env => ordersGiven(() => env.clock.now()))

export function hostAgent(env: Env, host: string): Client<ComputeAgentMethods> {
  const plain = client<ComputeAgentMethods>(env.bus, computeAgentSubject(subjectWord(host)), {
    timeoutMs: callTimeoutMs,
    version: computeAgentVersion,
  })
  const given = orders(env)
  return {
    async call(method, input, options) {
      if (input === null || questions.has(method)) return plain.call(method, input, options)
      for (let tries = 1; ; tries++) {
        try {
          return await plain.call(method, { ...input, order: given.next() }, options)
        } catch (error) {
          if (!given.learns(error) || tries === mostTries) throw error
        }
      }
    },
  }
}
