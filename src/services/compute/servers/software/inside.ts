/** The guest of a server, as tools have it: through its host, wherever that is by now. One whose agent is away is waited for. */
import type { Ctx } from '#kernel/context.ts'
import { Fault, messageOf } from '#kernel/errors.ts'
import { hostAgent } from '../../host-agent.ts'
import type { ServerRow } from '../server.ts'
import { callOptions, existingServer, isUnreachable } from '../steps.ts'
import { hasAgent, noAgent } from './software.ts'
import type { Inside } from './tools/tool.ts'

/** Also for a guest that has just been started, and boots. */
const patienceMs = 10 * 60_000
const betweenMs = 2_000

/** There is nobody to ask in the guest, for now or for good. */
export class GuestAway extends Error {
  override readonly name = 'GuestAway'
  /** It will be there again by itself, once the server runs. */
  readonly asleep: boolean
  constructor(message: string, asleep = false) {
    super(message)
    this.asleep = asleep
  }
}

type Agent = ReturnType<typeof hostAgent>
type Options = ReturnType<typeof callOptions>

/** Has the work done on the server's host, again until somebody answers there; throws `GuestAway`. */
async function patiently<T>(
  ctx: Ctx,
  id: string,
  signal: AbortSignal,
  { workMs = 0 }: { workMs?: number },
  work: (agent: Agent, options: Options) => Promise<T>,
): Promise<T> {
  const until = ctx.clock.now() + patienceMs
  for (;;) {
    const server = await existingServer(ctx, id)
    requireAwake(server)
    try {
      if (server.host === null) throw new GuestAway('The server has no host.')
      return await work(hostAgent(ctx, server.host), callOptions(ctx, signal, workMs + 120_000))
    } catch (error) {
      signal.throwIfAborted()
      if (!isAway(error)) throw error
      if (ctx.clock.now() >= until)
        throw new GuestAway(isUnreachable(error) ? 'The host does not answer.' : messageOf(error))
    }
    await ctx.clock.sleep(betweenMs, signal)
  }
}

const isAway = (error: unknown) =>
  error instanceof GuestAway || isUnreachable(error) || (error instanceof Fault && error.type === 'GuestError')

function requireAwake({ vm_state, task_state, image }: ServerRow): void {
  if (!hasAgent(image)) throw new GuestAway(noAgent)
  if (task_state === null && vm_state !== 'active')
    throw new GuestAway('The server is not active: the run goes on when it is.', true)
}

/** The ID of the guest's system: what is asked first, when the guest may still boot. */
export const systemOf = (ctx: Ctx, id: string, signal: AbortSignal): Promise<string> =>
  patiently(ctx, id, signal, {}, (agent, options) => agent.call('guestSystem', { id }, options))

export function insideOf(ctx: Ctx, id: string, system: string, signal: AbortSignal): Inside {
  return {
    system,
    run(path, args, { env, minutes = 1 } = {}) {
      const wait_ms = minutes * 60_000
      const program = { path, args: [...args], ...(env && { env }), wait_ms }
      return patiently(ctx, id, signal, { workMs: wait_ms }, (agent, options) =>
        agent.call('runInGuest', { id, program }, options),
      )
    },
    async write(path, text) {
      await patiently(ctx, id, signal, {}, (agent, options) => agent.call('writeInGuest', { id, path, text }, options))
    },
  }
}
