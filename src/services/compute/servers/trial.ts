/** Work that is only tried: nothing of it stays. */
import type { Ctx } from '#kernel/context.ts'

/** Ends the transaction that it was tried in. */
class Tried extends Error {
  readonly result: unknown
  constructor(result: unknown) {
    super('nothing is to stay of this')
    this.result = result
  }
}

/** What `work` gives, in a transaction that is undone. */
export async function tryOut<T>(ctx: Ctx, work: (tx: Ctx) => Promise<T>): Promise<T> {
  try {
    return await ctx.transaction(async tx => {
      throw new Tried(await work(tx))
    })
  } catch (error) {
    if (error instanceof Tried) return error.result as T
    throw error
  }
}
