/** What all parts of the driver share: directories, the user that QEMU runs as, and how a process is confined. */
import { chmod, chown, mkdir, open, readdir, rename, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '#kernel/clock.ts'
import type { Log } from '#kernel/log.ts'
import { GuestError } from '../driver.ts'
import { run } from './run.ts'

export interface QemuUser {
  uid: number
  gid: number
}

export interface QemuHost {
  /** The driver's own directory; everything it keeps is below. */
  dir: string
  images: string
  instances: string
  qemu: string
  log: Log
  clock: Clock
  /** Undefined: QEMU runs as we do. */
  user: QemuUser | undefined
  /** Removes what is kept of deleted guests, the oldest first, until so many bytes are free. */
  makeRoom?: (bytes: number) => Promise<unknown>
}

/** A unix socket's address has 107 bytes; the longest of ours is `/instances/<uuid>/run/mig`. */
const longestDir = 107 - '/instances/00000000-0000-0000-0000-000000000000/run/mig'.length

export function checkDir(dir: string) {
  if (Buffer.byteLength(dir) > longestDir) {
    throw new GuestError(
      `The data directory's path is too long for unix sockets: use one of at most ${longestDir} bytes (${dir}).`,
    )
  }
}

/** Makes the directories. QEMU's user may pass through them, not list them. */
export async function prepareDirs(host: QemuHost): Promise<void> {
  for (const dir of [host.dir, host.images, host.instances]) {
    await mkdir(dir, { recursive: true })
    await chmod(dir, 0o711)
  }
  await openTapDevice(host)
}

/** The user that QEMU drops to. Only root can drop; without such a user QEMU runs as root, and the log says so. */
export async function findUser(name: string, log: Log): Promise<QemuUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const line = await run('getent', ['passwd', name]).catch(() => '')
  const [, , uid, gid] = line.split(':')
  if (uid && gid) return { uid: Number(uid), gid: Number(gid) }
  log.warn(
    `Guests run as root, because the user ${name} does not exist. Make it: useradd --system --no-create-home --shell /usr/sbin/nologin ${name}`,
  )
  return undefined
}

/**
 * Lets QEMU's user open taps. Mode 0666 is what udev gives the device everywhere and what the kernel's documentation asks for: it is the
 * tap that grants or refuses, not the device. Containers often make it root's alone.
 */
async function openTapDevice(host: QemuHost): Promise<void> {
  const tun = '/dev/net/tun'
  const found = await stat(tun).catch(() => undefined)
  if (!host.user || !found || (found.mode & 0o006) === 0o006) return
  await chmod(tun, 0o666).catch(error =>
    host.log.warn({ err: error }, `${tun} cannot be opened to QEMU: guests with taps will fail`),
  )
}

/** Hands a path to QEMU's user. */
export async function give(host: QemuHost, path: string, mode: number): Promise<void> {
  if (host.user) await chown(path, host.user.uid, host.user.gid)
  await chmod(path, mode)
}

/**
 * The command that runs QEMU in a network namespace, without privileges and within limits. Each program in the chain replaces itself by the
 * next one, so the pid stays. `fileBytes` bounds every file that QEMU grows: the last line of defence for the host's disk while we are not
 * there to trim the console log (with SIGXFSZ ignored such a write merely fails).
 */
export async function confine(
  host: QemuHost,
  args: string[],
  options: { netns?: string; fileBytes: number; kvm: boolean; lockedBytes?: number },
): Promise<[string, ...string[]]> {
  const namespace = options.netns ? ['nsenter', `--net=/run/netns/${checkName(options.netns)}`, '--'] : []
  const { lockedBytes } = options
  const memlock = lockedBytes === undefined ? [] : [`--memlock=${lockedBytes}`]
  const limits = ['prlimit', '--core=0', '--nofile=16384', `--fsize=${options.fileBytes}`, ...memlock, '--']
  return [
    'env',
    '--ignore-signal=XFSZ',
    ...namespace,
    ...limits,
    ...(await unprivileged(host, options.kvm)),
    host.qemu,
    ...args,
  ]
}

async function unprivileged(host: QemuHost, kvm: boolean): Promise<string[]> {
  if (!host.user) return ['setpriv', '--no-new-privs', '--']
  const groups = kvm ? `--groups=${(await stat('/dev/kvm')).gid}` : '--clear-groups'
  const ids = [`--reuid=${host.user.uid}`, `--regid=${host.user.gid}`, groups]
  return ['setpriv', ...ids, '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--']
}

function checkName(netns: string): string {
  if (!/^[\w][\w.-]{0,63}$/.test(netns))
    throw new GuestError(`The network namespace's name ${JSON.stringify(netns)} is not usable.`)
  return netns
}

const reservedBytes = 64 * 1024 * 1024

export async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir)
  return bavail * bsize - reservedBytes
}

/** Refuses early what could not fit; 64 MiB are left alone, so that the host itself can go on. */
export async function needSpace(host: QemuHost, dir: string, bytes: number, what: string): Promise<void> {
  if ((await freeBytes(dir)) < bytes) {
    await host.makeRoom?.(bytes + reservedBytes).catch(error => {
      host.log.warn({ err: error }, 'no room could be made of what is kept of deleted guests')
    })
  }
  const free = await freeBytes(dir)
  if (free < bytes) throw noRoom(what, bytes, free)
}

export function noRoom(what: string, needed: number, free: number): GuestError {
  const megabytes = (n: number) => Math.max(0, Math.round(n / 1024 / 1024))
  return new GuestError(
    `The host has no room for ${what}: ${megabytes(needed)} MB needed, ${megabytes(free)} MB free.`,
    { retryElsewhere: true },
  )
}

/** Replaces a file so that after a power cut either the old or the new content is there. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const next = `${path}.part`
  {
    await using file = await open(next, 'w', 0o600)
    await file.writeFile(content)
    await file.sync()
  }
  await rename(next, path)
  await syncDir(dirname(path))
}

export async function syncDir(dir: string): Promise<void> {
  await using handle = await open(dir, 'r')
  await handle.sync()
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

export interface GuestFiles {
  dir: string
  record: string
  run: string
  monitor: string
  consoleLog: string
  qemuLog: string
  memory: string
  configDrive: string
}

/** A guest's id becomes a path: nothing but a plain name may pass. */
const plainId = /^[0-9A-Za-z][0-9A-Za-z-]{0,35}$/

/** The guests that have a directory here. */
export async function guestIds(host: QemuHost): Promise<string[]> {
  return (await readdir(host.instances)).filter(name => plainId.test(name))
}

export function guestFiles(host: QemuHost, id: string): GuestFiles {
  if (!plainId.test(id)) throw new GuestError(`The guest id ${JSON.stringify(id)} is not usable.`)
  const dir = join(host.instances, id)
  return {
    dir,
    record: join(dir, 'guest.json'),
    run: join(dir, 'run'),
    monitor: join(dir, 'run', 'qmp'),
    consoleLog: join(dir, 'console.log'),
    qemuLog: join(dir, 'qemu.log'),
    memory: join(dir, 'memory.state'),
    configDrive: join(dir, 'config-drive'),
  }
}
