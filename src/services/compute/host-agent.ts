/** Calls to the agents of hosts, from the control side. */
import { subjectWord } from '#kernel/bus/bus.ts'
import { type Client, client } from '#kernel/bus/methods.ts'
import { type Env, perCloud } from '#kernel/context.ts'
import { basesVersion, type ComputeAgentMethods, computeAgentSubject, plainVersion } from './agent/methods.ts'
import { ordersGiven, questions } from './agent/order.ts'
import type { GuestSpec, ImageSpec } from './drivers/driver.ts'

export { type PowerState, powerStates } from './drivers/driver.ts'

const callTimeoutMs = 60_000

/** Others may ask about the same guest meanwhile, but not for ever. */
const mostTries = 5

const orders = perCloud(env => ordersGiven(() => env.clock.now()))

/** Whether a call is about an image that stands on others. */
function namesBases({ spec, image }: { id?: string; spec?: GuestSpec; image?: ImageSpec }): boolean {
  const ofDisks = (spec?.disks ?? []).map(({ source }) => (source.type === 'image' ? source.image : undefined))
  return [image, ...ofDisks].some(one => one?.bases !== undefined)
}

export function hostAgent(env: Env, host: string): Client<ComputeAgentMethods> {
  const plain = client<ComputeAgentMethods>(env.bus, computeAgentSubject(subjectWord(host)), {
    timeoutMs: callTimeoutMs,
    version: plainVersion,
  })
  const given = orders(env)
  return {
    async call(method, input, options) {
      if (input === null || questions.has(method)) return plain.call(method, input, options)
      const versioned = namesBases(input) ? { ...options, version: basesVersion } : options
      for (let tries = 1; ; tries++) {
        try {
          return await plain.call(method, { ...input, order: given.next() }, versioned)
        } catch (error) {
          if (!given.learns(error) || tries === mostTries) throw error
        }
      }
    },
  }
}
