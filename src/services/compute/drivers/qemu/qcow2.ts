/** Reads the header of a qcow2 file without any tool, to refuse what would make a tool open other files. */
import { open } from 'node:fs/promises'
import { GuestError } from '../driver.ts'

const magic = 0x514649fb
/** Incompatible features that change nothing outside the file: dirty refcounts, compression type, extended L2 entries. */
const knownFeatures = 0b1_1001n
const maxVirtualSize = 1n << 50n

/** The virtual size in bytes. Throws GuestError for a file that is not a plain, self-contained, unencrypted qcow2 image. */
export async function qcow2VirtualSize(path: string): Promise<number> {
  return parseQcow2(await readHeader(path))
}

/** Throws for a guest's own overlay that refers to more than its base. */
export async function checkOverlay(path: string, { encrypted = false }: { encrypted?: boolean } = {}): Promise<void> {
  parseQcow2(await readHeader(path), { backing: true, encrypted })
}

async function readHeader(path: string): Promise<Buffer> {
  await using file = await open(path, 'r')
  const header = Buffer.alloc(104)
  const { bytesRead } = await file.read(header, 0, header.length, 0)
  return header.subarray(0, bytesRead)
}

export function parseQcow2(header: Buffer, allow: { backing?: boolean; encrypted?: boolean } = {}): number {
  const refuse = (why: string) => new GuestError(`The image is not usable: ${why}.`)
  if (header.length < 72 || header.readUInt32BE(0) !== magic) throw refuse('it is not in the qcow2 format')
  const version = header.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw refuse(`qcow2 version ${version} is unknown`)
  if (header.readBigUInt64BE(8) !== 0n && !allow.backing) throw refuse('it refers to a backing file')
  if (header.readUInt32BE(32) !== 0 && !allow.encrypted) throw refuse('it is encrypted')
  const virtualSize = header.readBigUInt64BE(24)
  if (virtualSize > maxVirtualSize) throw refuse('its virtual size is over 1 PiB')
  if (version === 3) {
    if (header.length < 104) throw refuse('its header is cut short')
    const features = header.readBigUInt64BE(72)
    if (features & 0b100n) throw refuse('it refers to an external data file')
    if (features & ~knownFeatures) throw refuse('it uses unknown features, or is marked corrupt')
  }
  return Number(virtualSize)
}
