/** A control process for tests to kill: opens the driver over a directory, says `begin` and does one thing to one guest. */
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import type { GuestSpec } from '../driver.ts'
import { qemuDriver } from './qemu.ts'
import { bootSector, memoryImages } from './test-guest.ts'

export type CrashOperation = 'spawn' | 'destroy' | 'suspend' | 'resume' | 'snapshot' | 'backup'

const [dir, operation, text] = process.argv.slice(2) as [string, CrashOperation, string]
const spec = JSON.parse(text) as GuestSpec
const images = memoryImages(new Map([['boot-sector', bootSector()]]))
const options = { hostname: 'h1', log: silentLog(), clock: systemClock(), accel: 'tcg', user: 'nobody' } as const
const driver = await qemuDriver({ dir, images, ...options })
await driver.recover()
// Alive as long as the test holds the other end: the clock's timers do not keep a process alive.
process.stdin.resume()
process.stdout.write('begin\n')
if (operation === 'spawn') await driver.spawn(spec, { power_on: true })
else if (operation === 'destroy') await driver.destroy(spec.id)
else if (operation === 'suspend') await driver.suspend(spec.id)
else if (operation === 'resume') await driver.resume(spec)
else if (operation === 'snapshot') for await (const _ of await driver.snapshot(spec.id, 'qcow2'));
else
  for await (const _ of (
    await driver.backup(spec.id, { image_id: 'cut-off', since: { image_id: 'first', bytes: 1024 ** 3 } })
  ).bytes);
process.stdout.write('end\n')
