/** What is to be done in a guest that is new. */
import type { Ctx } from '#kernel/context.ts'
import { defaultOs, type GuestKind, isSameWord } from '../../agent-builds/agent-build.ts'
import { agentBuilds } from '../../agent-builds/store.ts'
import type { HostRow } from '../../hosts/host.ts'
import type { ServerRow } from '../server.ts'
import { hasAgent } from '../software/software.ts'
import { growsItsDisk } from './disk-config.ts'
import type { GuestWork } from './guest-work.ts'

export const osOf = ({ image }: ServerRow): string => image?.properties.os_type ?? defaultOs

/** Which builds are for guests on a host. */
export const kindOf = ({ facts }: HostRow, os: string): GuestKind => ({
  ...{ hypervisor: facts.hypervisor_type, os, architecture: facts.cpu_info.arch },
})

/** Systems that there are builds for, when one of the servers could be told of it. Whether one fits is known when the host is. */
export async function systemsWithBuild(ctx: Ctx, servers: readonly ServerRow[]): Promise<string[]> {
  if (!servers.some(({ image }) => hasAgent(image))) return []
  return (await agentBuilds.pick(ctx.db, ['os'])).map(({ os }) => os)
}

export function worksOfNew(server: ServerRow, systems: readonly string[]): GuestWork[] {
  if (!hasAgent(server.image)) return []
  const updates = systems.some(os => isSameWord(os, osOf(server)))
  return [...(growsItsDisk(server) ? ['grow_disk' as const] : []), ...(updates ? ['update_agent' as const] : [])]
}
