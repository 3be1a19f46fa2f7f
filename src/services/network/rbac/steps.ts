/** Opening networks to all projects inside other work. */
import type { Ctx } from '#kernel/context.ts'
import { standardMembers } from '#kernel/standard-row.ts'
import { type RbacAction, rbacRows } from './store.ts'

/** Opens the network to everyone, or takes that back; what single projects were given stays. */
export async function setOpen(
  ctx: Ctx,
  network: { id: string; project_id: string },
  action: RbacAction,
  open: boolean,
): Promise<void> {
  const everyone = { object_id: network.id, action, target_tenant: '*' }
  if (!open) await rbacRows.remove(ctx.db, everyone)
  else if (!(await rbacRows.find(ctx.db, everyone)))
    await rbacRows.insert(ctx.db, {
      ...standardMembers(ctx, { project_id: network.project_id }),
      object_type: 'network',
      ...everyone,
    })
}

/** Nobody but the owner has the network any more. */
export async function closeNetwork(ctx: Ctx, networkId: string, actions: readonly RbacAction[]): Promise<void> {
  await rbacRows.remove(ctx.db, { object_id: networkId, action: actions })
}
