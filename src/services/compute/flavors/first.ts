/** The flavors of a new cloud. */
import type { Ctx } from '#kernel/context.ts'
import { flavors } from './store.ts'
import { numberFlavors } from './store-numbers.ts'

const sizes = [
  { id: '42', name: 'm1.nano', memory_mb: 128, vcpus: 1, root_gb: 1 },
  { id: '84', name: 'm1.micro', memory_mb: 192, vcpus: 1, root_gb: 1 },
  { id: '1', name: 'm1.tiny', memory_mb: 512, vcpus: 1, root_gb: 1 },
  { id: '2', name: 'm1.small', memory_mb: 2048, vcpus: 1, root_gb: 20 },
  { id: '3', name: 'm1.medium', memory_mb: 4096, vcpus: 2, root_gb: 40 },
]

/** Makes them in a cloud that has no flavors at all. */
export async function firstFlavors(ctx: Ctx): Promise<void> {
  await ctx.transaction(async tx => {
    if ((await flavors.count(tx.db)) > 0) return
    const rest = {
      ephemeral_gb: 0,
      swap: 0,
      rxtx_factor: 1,
      is_public: true,
      disabled: false,
      description: null,
      extra_specs: {},
      created_at: new Date(tx.clock.now()).toISOString(),
      updated_at: null,
    }
    await flavors.insertMany(
      tx.db,
      sizes.map(size => ({ ...size, ...rest })),
    )
    await numberFlavors(
      tx,
      sizes.map(({ id }) => id),
    )
  })
}
