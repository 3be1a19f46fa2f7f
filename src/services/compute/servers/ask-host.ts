/** Questions to a server's host while its user waits. */
import type { Client } from '#kernel/bus/methods.ts'
import type { Ctx } from '#kernel/context.ts'
import { Conflict, Fault } from '#kernel/errors.ts'
import type { ComputeAgentMethods } from '../agent/methods.ts'
import { hostAgent } from '../host-agent.ts'
import { requireHost } from './action.ts'
import type { ServerRow } from './server.ts'
import { isUnreachable } from './steps.ts'

/** A host that does not answer is a 409, since the server is there all the same; so is a guest that is not as the database has it, for now. */
export async function askHost<T>(
  ctx: Ctx,
  server: ServerRow,
  ask: (agent: Client<ComputeAgentMethods>) => Promise<T>,
): Promise<T> {
  const host = requireHost(server)
  try {
    return await ask(hostAgent(ctx, host))
  } catch (cause) {
    if (isUnreachable(cause))
      throw new Conflict(`The host of instance ${server.id} does not answer: try again later.`, { cause })
    if (cause instanceof Fault && cause.type === 'GuestError') throw new Conflict(cause.message, { cause })
    throw cause
  }
}
