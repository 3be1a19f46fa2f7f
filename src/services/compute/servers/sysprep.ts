/** Sysprep before a snapshot: a Windows whose image asks for it is made one that any server may be made of. Upstream's images have no word for it. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import type { GuestProgram } from '../drivers/driver.ts'
import { hostAgent } from '../host-agent.ts'
import type { ServerImage, ServerRow } from './server.ts'
import { hasAgent, noAgent } from './software/software.ts'
import { reasonOf } from './software/tools/tool.ts'
import { callOptions } from './steps.ts'

/** The guest goes on running; it forgets who it was at its next boot. */
export const sysprep: GuestProgram = {
  path: 'C:\\Windows\\System32\\Sysprep\\sysprep.exe',
  args: ['/generalize', '/oobe', '/quit', '/quiet'],
  wait_ms: 10 * 60_000,
}

export const asksForSysprep = (image: Pick<ServerImage, 'properties'> | null): boolean =>
  image?.properties.os_type === 'windows' && image.properties.os_require_sysprep === 'yes'

/** Throws when it could not be done: nobody would want the snapshot without it. */
export function requireSysprep({ id, image, vm_state }: ServerRow): void {
  const refused = (why: string) => new Conflict(`Instance ${id} cannot be made ready by sysprep: ${why}`)
  if (!hasAgent(image)) throw refused(noAgent)
  if (vm_state !== 'active') throw refused('it has to be active.')
}

/** Done twice it is the same. */
export async function runSysprep(ctx: Ctx, host: string, id: string, signal: AbortSignal): Promise<void> {
  const options = callOptions(ctx, signal, sysprep.wait_ms + 60_000)
  const end = await hostAgent(ctx, host).call('runInGuest', { id, program: sysprep }, options)
  if (end.code !== 0) throw new Conflict(`The guest was not made ready: ${reasonOf('sysprep', end)}`)
}
