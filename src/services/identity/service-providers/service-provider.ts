/** Service providers as tokens tell of them. */
import type { Ctx } from '#kernel/context.ts'
import { perGeneration } from '../revocations/revocation.ts'
import { serviceProviders } from './store.ts'

const open = perGeneration(async ctx => {
  const found = await serviceProviders.list(
    ctx.db,
    { enabled: true },
    { orderBy: [{ column: 'id', direction: 'asc' }] },
  )
  return found.map(({ id, auth_url, sp_url }) => ({ id, auth_url, sp_url }))
})

/** The clouds that a user may go to from here. */
export function openServiceProviders(ctx: Ctx): Promise<{ id: string; auth_url: string; sp_url: string }[]> {
  return open(ctx)
}
