/** The sign of life of an upload: while it stands in the row, nobody takes the upload for dead. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { imageConfig } from '../config.ts'
import { images } from '../images/store.ts'

export interface Heartbeat extends Disposable {
  /** To be called whenever bytes came. */
  progressed: () => void
  /** Aborted when none came for too long. */
  signal: AbortSignal
}

export function startHeartbeat(ctx: Ctx, id: string, blob: string): Heartbeat {
  const stale = ctx.config.of(imageConfig).stale_upload_seconds
  const every = (stale * 1000) / 5
  const stalled = new AbortController()
  let last = ctx.clock.now()
  let timer = ctx.clock.after(every, beat)
  function beat() {
    const now = ctx.clock.now()
    if (now - last >= stale * 1000)
      return stalled.abort(new BadRequest(`The upload of image ${id} was given up: no data came for ${stale} seconds.`))
    // One that fails is made up for by the next.
    images
      .update(ctx.db, { id, blob, alive_at: { op: '!=', value: null } }, { alive_at: new Date(now).toISOString() })
      .catch(() => {})
    timer = ctx.clock.after(every, beat)
  }
  return {
    progressed() {
      last = ctx.clock.now()
    },
    signal: stalled.signal,
    [Symbol.dispose]: () => timer.cancel(),
  }
}
