/** What the driver is told at its start, and the host made ready for it. */
import { resolve } from 'node:path'
import type { Clock } from '#kernel/clock.ts'
import type { Log } from '#kernel/log.ts'
import type { ImageSource } from '../driver.ts'
import type { Accel } from './command-line.ts'
import type { Sizes } from './facts.ts'
import { checkDir, findUser, prepareDirs, type QemuHost } from './host.ts'
import { purgeKept } from './kept.ts'

export interface QemuDriverOptions extends Sizes {
  /** The driver's own directory: images, guests. At most 51 bytes long, since unix sockets are made below it. */
  dir: string
  hostname: string
  log: Log
  clock: Clock
  images: ImageSource
  accel: 'auto' | Accel
  /** A Linux kernel to try KVM with when `accel` is auto; the host's own by default. */
  probe_kernel?: string
  /** QEMU's program. */
  qemu?: string
  /** The user that QEMU runs as when we are root. */
  user?: string
  /** How much of a guest's serial output is kept. */
  console_bytes?: number
}

export async function prepareHost(options: QemuDriverOptions): Promise<QemuHost> {
  const dir = resolve(options.dir)
  checkDir(dir)
  const host: QemuHost = {
    dir,
    images: `${dir}/images`,
    instances: `${dir}/instances`,
    qemu: options.qemu ?? 'qemu-system-x86_64',
    log: options.log,
    clock: options.clock,
    user: await findUser(options.user ?? 'nephos-qemu', options.log),
    makeRoom: bytes => purgeKept(host, bytes),
  }
  await prepareDirs(host)
  return host
}
