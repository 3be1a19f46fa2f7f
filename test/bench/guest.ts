/** How long a real guest takes from QEMU's start to its `login:`. */
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '#kernel/clock.ts'
import { systemIds } from '#kernel/ids.ts'
import { silentLog } from '#kernel/log.ts'
import { keptTinyImage } from '../../src/cli/image-build.ts'
import type { VirtDriver } from '../../src/services/compute/drivers/driver.ts'
import { qemuDriver } from '../../src/services/compute/drivers/qemu/qemu.ts'
import { imageOf } from '../../src/services/compute/drivers/qemu/test-guest.ts'

export interface GuestTimes {
  accel: string
  /** Milliseconds: the driver's part, and then until the guest asks who it is. */
  spawn: number
  login: number
  /** How late the event loop ran, 99 of 100 turns, while the first guest's image was made ready. */
  late: number
}

const programs = ['/usr/bin/qemu-system-x86_64', '/usr/bin/qemu-img']

/** Times of a second guest, whose image the host has already; or why there are none. */
export async function guestTimes(): Promise<GuestTimes | { skipped: string }> {
  const absent = programs.filter(program => !existsSync(program))
  if (absent.length > 0) return { skipped: `${absent.join(', ')} not installed` }
  const tiny = keptTinyImage()
  if (!tiny) return { skipped: 'the tiny image is not built (./nephos image build)' }
  const clock = systemClock()
  const dir = mkdtempSync(join(tmpdir(), 'nephos-bench-guest-'))
  // The clock's timers do not keep a process alive; this does.
  const alive = createServer().listen(join(dir, 'alive'))
  await using driver = await qemuDriver({
    dir,
    hostname: 'bench',
    log: silentLog(),
    clock,
    images: { open: async () => createReadStream(tiny.disk) },
    accel: 'auto',
    probe_kernel: tiny.kernel,
    user: 'nobody',
  })
  try {
    const image = imageOf('tiny', readFileSync(tiny.disk), { disk_format: 'qcow2' })
    const delay = monitorEventLoopDelay({ resolution: 20 })
    delay.enable()
    await driver.destroy((await boot(driver, image)).id)
    const late = Math.max(0, delay.percentile(99) / 1e6 - 20)
    delay.disable()
    const { id, spawn, login } = await boot(driver, image)
    await driver.destroy(id)
    const { hypervisor_type } = await driver.facts()
    return { accel: hypervisor_type, spawn, login, late }
  } finally {
    for (const { id } of await driver.list()) await driver.destroy(id)
    alive.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function boot(driver: VirtDriver, image: ReturnType<typeof imageOf>) {
  const clock = systemClock()
  const id = systemIds().uuid()
  const began = clock.monotonic()
  const disks = [{ id: 'root', source: { type: 'image' as const, image }, size_gb: 1, boot_index: 0 }]
  const spec = { id, name: 'bench', vcpus: 1, memory_mb: 128, disks, nics: [], extra_specs: {} }
  await driver.spawn(spec, { power_on: true })
  const spawned = clock.monotonic()
  while (!(await driver.consoleLog(id)).includes('login: ')) {
    if (clock.monotonic() - spawned > 300_000)
      throw new Error(`no login: in 300 s:\n${await driver.consoleLog(id, 20)}`)
    await clock.sleep(50)
  }
  return { id, spawn: spawned - began, login: clock.monotonic() - spawned }
}
