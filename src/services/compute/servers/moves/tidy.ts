/** Removes what is not needed any more of a server that was rebuilt, moved or brought back. Nothing waits for it, and it is no action of its own. */
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { saga } from '#kernel/saga/saga.ts'
import { hostAgent } from '../../host-agent.ts'
import { callOptions, destroyGuest } from '../steps.ts'
import { findServer } from '../store.ts'
import { forgetCleanup, rememberCleanup } from '../store-cleanups.ts'

interface TidyInput {
  server_id: string
  /** Where something was set aside. */
  host?: string
  /** Kept for bringing the server back. */
  image_id?: string
}

const deadlineMs = 60 * 60_000

export const tidySaga = saga<TidyInput>(
  'compute.moves.tidy',
  {
    revision: 1,
    deadline: deadlineMs,
    /** It made way for a delete: nothing may be forgotten. */
    async failed(ctx, { server_id, host, image_id }) {
      if (host !== undefined) await rememberCleanup(ctx, host, server_id)
      if (image_id !== undefined) await ctx.services.image.remove(ctx, image_id)
    },
  },
  async (s, { server_id: id, host, image_id }) => {
    if (host !== undefined) await s.step(`tidy ${host}`, () => tidyHost(s.ctx, id, host))
    if (image_id !== undefined) await s.step('remove image', () => s.ctx.services.image.remove(s.ctx, image_id))
  },
)

/** In the transaction that makes it needless. */
export function beginTidy(ctx: Ctx, input: TidyInput): Promise<string> {
  return ctx.sagas.start(ctx, tidySaga, input, input.server_id)
}

async function tidyHost(ctx: Ctx, id: string, host: string): Promise<void> {
  if ((await findServer(ctx, id))?.host !== host) return destroyGuest(ctx, host, id)
  try {
    await hostAgent(ctx, host).call('dropAside', { id }, callOptions(ctx, undefined))
    await forgetCleanup(ctx, host, id)
  } catch (error) {
    if (ctx.sagas.stopping) throw error
    ctx.log.warn({ err: messageOf(error), host, server_id: id }, 'what is aside of a guest is removed later')
    return rememberCleanup(ctx, host, id)
  }
}
