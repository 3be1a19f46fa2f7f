/** Undos on the server's own host, which a failed host must not lose. */
import type { Ctx } from '#kernel/context.ts'
import { anySaga, type Saga, saga } from '#kernel/saga/saga.ts'
import type { ServerRow } from './server.ts'
import { isUnreachable, serverToUndo } from './steps.ts'
import { isEvacuated } from './store-moves.ts'

interface AtHome {
  server_id: string
  host: string
}

export interface HomeUndo<Input extends AtHome> {
  /** To be called by a saga's undo. */
  run(ctx: Ctx, input: Input): Promise<void>
  /** For the list of its service. */
  saga: Saga
}

/**
 * `act` brings the guest in line with what stays the server's. A host that does not answer is waited for, unless the server is built anew elsewhere: its evacuation
 * waits for this undo, and nothing of the guest stays there. Should the evacuation fail, the guest is still the server's: then it is done after that. A server that is
 * gone, or goes, needs nothing.
 *
 * `name`: of the saga that does it then, after `compute.guests.`. `act` is given the server as it was just before.
 */
export function homeUndo<Input extends AtHome>(
  name: string,
  act: (ctx: Ctx, input: Input, server: ServerRow) => Promise<void>,
): HomeUndo<Input> {
  /** Undone, it is tried until the host answers. */
  const later = saga<Input>(`compute.guests.${name}`, { revision: 1, deadline: 60 * 60_000 }, (s, input) => {
    const attempt = () => run(s.ctx, input)
    return s.step(name, attempt, attempt)
  })

  async function run(ctx: Ctx, input: Input): Promise<void> {
    const { server_id, host } = input
    const server = await serverToUndo(ctx, server_id)
    if (server?.host !== host) return
    if (await isEvacuated(ctx, server_id)) return postpone(ctx, input)
    try {
      await act(ctx, input, server)
    } catch (error) {
      if (!isUnreachable(error) || !(await isEvacuated(ctx, server_id))) throw error
      await postpone(ctx, input)
    }
  }

  async function postpone(ctx: Ctx, input: Input): Promise<void> {
    await ctx.transaction(tx => tx.sagas.start(tx, later, input, input.server_id))
  }

  return { run, saga: anySaga(later) }
}
