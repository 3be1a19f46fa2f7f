/** Tells others on the host what a guest was promised: a file beside its record, and a program of the operator that is told of each start. */
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '#kernel/errors.ts'
import type { Machine } from './command-line.ts'
import { type GuestFiles, type QemuHost, replaceFile } from './host.ts'
import { run } from './run.ts'

const hookMs = 10_000

/** In the driver's folder; called with the path of the flavor's file and the pid of QEMU, whose CPUs do not run yet. */
const hookOf = ({ dir }: QemuHost) => join(dir, 'hooks', 'guest-started')

export async function tellOfStart(host: QemuHost, files: GuestFiles, { spec }: Machine, pid: number): Promise<void> {
  const { id, flavor, vcpus, memory_mb, extra_specs } = spec
  const file = join(files.dir, 'flavor.json')
  const told = { server_id: id, flavor: { name: flavor ?? null, vcpus, memory_mb, extra_specs } }
  await replaceFile(file, `${JSON.stringify(told, null, 1)}\n`)
  const hook = hookOf(host)
  const absent = await access(hook, constants.X_OK).then(
    () => false,
    () => true,
  )
  if (absent) return
  try {
    await run(hook, [file, String(pid)], { timeoutMs: hookMs })
  } catch (error) {
    // The operator's program must not keep guests from running.
    host.log.warn({ guest: id, hook, err: messageOf(error) }, 'the hook for started guests failed')
  }
}
