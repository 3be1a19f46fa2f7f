/** Makes an image of the root disk of a deleted server whose files its host has kept. */
import { saga } from '#kernel/saga/saga.ts'
import { hostAgent } from '../host-agent.ts'
import { tellFailure } from '../resource-events.ts'

interface Input {
  server_id: string
  host: string
  image_id: string
  format: 'raw' | 'qcow2'
}

const hourMs = 3_600_000

/** Acts for the project that the image is of. */
export const keptImageSaga = saga<Input>(
  'compute.kept_files.image',
  {
    revision: 1,
    deadline: 3 * hourMs,
    failed: (ctx, { server_id }, error) => tellFailure(ctx, 'compute.kept_files.image', server_id, error),
  },
  async ({ ctx, step }, { server_id: id, host, image_id, format }) => {
    await step(
      'store disk',
      async signal => {
        if ((await ctx.services.image.get(ctx, image_id)).status === 'active') return
        const options = { signal, request: ctx, deadline: ctx.clock.now() + hourMs }
        await hostAgent(ctx, host).call('snapshotKept', { id, image_id, format }, options)
      },
      () => ctx.services.image.remove(ctx, image_id),
    )
  },
)
