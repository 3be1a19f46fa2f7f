/** What identity offers the other services. */
import type { Env, Identity } from '#kernel/context.ts'

export const identityContract = {
  /** Who a token belongs to; undefined when it is not valid. */
  async authenticate(_env: Env, _token: string): Promise<Identity | undefined> {
    return undefined
  },
}

declare module '#kernel/context.ts' {
  interface Contracts {
    identity: typeof identityContract
  }
}
