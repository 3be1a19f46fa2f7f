/** Server groups as servers need them. None can be made yet, so that none is found. */
import type { Ctx } from '#kernel/context.ts'
import type { GroupPolicy } from '../scheduler/scheduler.ts'

export interface Group {
  policy: GroupPolicy
  max_per_host: number
  /** Ids of servers. */
  members: string[]
}

export async function groupOf(_ctx: Ctx, _id: string): Promise<Group | undefined> {
  return undefined
}

export async function groupsOf(_ctx: Ctx, _serverId: string): Promise<string[]> {
  return []
}

export async function joinGroup(_ctx: Ctx, _groupId: string, _serverId: string): Promise<void> {}
