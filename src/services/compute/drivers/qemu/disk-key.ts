/** The key of a guest's encrypted disks, as QEMU's programs read it: from a file in memory that is there only meanwhile, never on a command line. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GuestError } from '../driver.ts'
import { type DiskFile, keyName } from './command-line.ts'
import { exists, give, type QemuHost } from './host.ts'

const inMemory = '/dev/shm'

/** Tells our files from those of other clouds on this machine. */
const prefixOf = ({ dir }: QemuHost) => `nephos-key-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}-`

const folderOf = async () => ((await exists(inMemory)) ? inMemory : tmpdir())

/** Runs `work` with the arguments that make the key known to one of QEMU's programs; with none where there is no key. */
export async function withKey<T>(
  host: QemuHost,
  key: string | undefined,
  work: (args: string[]) => Promise<T>,
): Promise<T> {
  if (key === undefined) return await work([])
  const dir = await mkdtemp(join(await folderOf(), prefixOf(host)))
  try {
    const file = join(dir, 'key')
    await writeFile(file, key, { mode: 0o600 })
    await give(host, file, 0o600)
    await give(host, dir, 0o700)
    return await work(['--object', `secret,id=${keyName},file=${file}`])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** What a life of ours that was cut off has left. */
export async function sweepKeys(host: QemuHost): Promise<void> {
  const folder = await folderOf()
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefixOf(host))) await rm(join(folder, name), { recursive: true, force: true })
  }
}

/**
 * Hashing the key slowly would add nothing: it is random, and as long as a key. SHA-512 makes the header, not the data:
 * QEMU 7.2 measures how fast the hash is, and refuses when its clock, which goes in ticks, did not move meanwhile.
 */
export const encryptedOptions = [
  'encrypt.format=luks',
  `encrypt.key-secret=${keyName}`,
  'encrypt.hash-alg=sha512',
  'encrypt.iter-time=10',
].join()

const unmeasured = 'Unable to get accurate CPU usage'

/** Makes an encrypted file, again where QEMU could not measure the hash: its chance of that is a quarter on a fast CPU with SHA-256. */
export async function untilMeasured<T>(create: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await create()
    } catch (error) {
      if (tries === 10 || !(error instanceof GuestError) || !error.message.includes(unmeasured)) throw error
    }
  }
}

/** Throws when the disks cannot be opened without a key. */
export function requireKey(disks: readonly DiskFile[], key: string | undefined): void {
  if (key === undefined && disks.some(disk => disk.encrypted))
    throw new GuestError('The disks of the guest are encrypted, and their key was not sent.')
}
