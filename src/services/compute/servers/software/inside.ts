/** The guest of a server, as tools have it: through its host, wherever that is by now. One whose agent is away is waited for. */
import type { Ctx } from '#kernel/context.ts'
import { Fault, messageOf } from '#kernel/errors.ts'
import type { GuestProgram, ProgramEnd } from '../../drivers/driver.ts'
import { hostAgent, powerStates } from '../../host-agent.ts'
import type { ServerRow } from '../server.ts'
import { callOptions, existingServer, isUnreachable } from '../steps.ts'
import { hasAgent, noAgent } from './software.ts'
import type { WholeInside } from './tools/tool.ts'

/** Also for a guest that has just been started, and boots. */
const patienceMs = 10 * 60_000
const betweenMs = 2_000

/** `asleep`: until the server runs. `lost`: the agent was waited for in vain, and may be there later. `none`: there is no agent. */
type Away = 'asleep' | 'lost' | 'none'

/** There is nobody to ask in the guest. */
class GuestAway extends Error {
  override readonly name = 'GuestAway'
  readonly away: Away
  constructor(message: string, away: Away) {
    super(message)
    this.away = away
  }
}

/** Of a step, in the journal: what the guest says, or that there was nobody to ask. Its owner may read it. */
export interface Failed {
  failed: string
  of_guest: true
  away?: Away
}

/** That nobody was there, or that the agent says no; any other error is thrown. */
export function failureOf(error: unknown): Failed {
  if (isRefusal(error)) return { failed: messageOf(error), of_guest: true }
  if (!(error instanceof GuestAway)) throw error
  return { failed: error.message, of_guest: true, away: error.away }
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
      if (server.host === null) throw new GuestAway('The server has no host.', 'lost')
      return await work(hostAgent(ctx, server.host), callOptions(ctx, signal, workMs + 120_000))
    } catch (error) {
      signal.throwIfAborted()
      if (!isAway(error)) throw error
      if (ctx.clock.now() >= until)
        throw new GuestAway(isUnreachable(error) ? 'The host does not answer.' : messageOf(error), 'lost')
    }
    await ctx.clock.sleep(betweenMs, signal)
  }
}

const isOfGuest = (error: unknown): error is Fault => error instanceof Fault && error.type === 'GuestError'

/** Said by an agent that is there. */
export const isRefusal = (error: unknown): boolean => isOfGuest(error) && error.extra.refused === true

const isAway = (error: unknown) =>
  error instanceof GuestAway || isUnreachable(error) || (isOfGuest(error) && !isRefusal(error))

/** Whether the guest of a server that is not busy runs; after a resize it may be off. */
const isAwake = ({ vm_state, power_state }: Pick<ServerRow, 'vm_state' | 'power_state'>): boolean =>
  vm_state === 'active' || (vm_state === 'resized' && power_state === powerStates.running)

function requireAwake(server: ServerRow): void {
  if (!hasAgent(server.image)) throw new GuestAway(noAgent, 'none')
  if (server.task_state === null && !isAwake(server))
    throw new GuestAway('The server is not active: the run goes on when it is.', 'asleep')
}

/** Waits for the guest's agent, which may still boot, and for what its user data does; then says the ID of its system. */
export async function guestReady(ctx: Ctx, id: string, signal: AbortSignal): Promise<{ system: string } | Failed> {
  try {
    const system = await patiently(ctx, id, signal, {}, (agent, options) => agent.call('guestSystem', { id }, options))
    // Guests without cloud-init have no such program.
    await insideOf(ctx, id, system, signal).run('cloud-init', ['status', '--wait'], { minutes: 10 })
    return { system }
  } catch (error) {
    return failureOf(error)
  }
}

const bytesAtOnce = 256 * 1024

function programOf(...[path, args, { env, minutes = 1 } = {}]: Parameters<WholeInside['run']>): GuestProgram {
  return { path, args: [...args], ...(env && { env }), wait_ms: minutes * 60_000 }
}

export function insideOf(ctx: Ctx, id: string, system: string, signal: AbortSignal): WholeInside {
  const asking = <T>(work: (agent: Agent, options: Options) => Promise<T>, workMs = 0) =>
    patiently(ctx, id, signal, { workMs }, work)
  return {
    system,
    run: (...asked) => {
      const program = programOf(...asked)
      return asking((agent, options) => agent.call('runInGuest', { id, program }, options), program.wait_ms)
    },
    runOnce: (...asked) => {
      const program = programOf(...asked)
      const once = async (agent: Agent, options: Options): Promise<ProgramEnd> => {
        try {
          return await agent.call('runInGuest', { id, program }, options)
        } catch (error) {
          if (signal.aborted || !isAway(error)) throw error
          return { code: null, output: '', errors: messageOf(error) }
        }
      }
      return asking(once, program.wait_ms)
    },
    async write(path, text) {
      await asking((agent, options) => agent.call('writeInGuest', { id, path, text }, options))
    },
    async put(path, bytes) {
      for (let at = 0; at === 0 || at < bytes.length; at += bytesAtOnce) {
        const text = { base64: bytes.subarray(at, at + bytesAtOnce).toString('base64') }
        await asking((agent, options) => agent.call('writeInGuest', { id, path, text, at }, options))
      }
    },
    agentVersion: () => asking((agent, options) => agent.call('agentVersion', { id }, options)),
    sleep: ms => ctx.clock.sleep(ms, signal),
  }
}
