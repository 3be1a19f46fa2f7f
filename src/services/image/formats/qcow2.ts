/** QEMU's copy-on-write format, versions 2 and 3. Refused: every way to name another file, encryption, and tables beyond what QEMU itself allows. */
import { type Bytes, checkVirtualSize, exactly, type Format, refuse, u64 } from './parser.ts'

const magic = Buffer.from('QFI\xfb', 'latin1')
const maxL1Bytes = 32 * 1024 * 1024
const maxRefcountTableBytes = 8 * 1024 * 1024
const maxSnapshots = 65_536

const corrupt = 1n << 1n
const externalData = 1n << 2n
const extendedL2 = 1n << 4n
/** Dirty, corrupt, external data, compression type, extended L2. */
const knownFeatures = 0b11111n

const dataFileName = 0x44415441
const encryptionHeader = 0x0537be77

export const qcow2: Format = {
  name: 'qcow2',
  detect: (_bytes, head) => head.subarray(0, 4).equals(magic),
  async inspect(bytes, limits) {
    const head = await exactly(bytes, 0, 72)
    const version = head.readUInt32BE(4)
    if (version !== 2 && version !== 3) refuse(`qcow2 version ${version} is not supported`)
    if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) refuse('it has a backing file')
    if (head.readUInt32BE(32) !== 0) refuse('it is encrypted')
    const clusterBits = head.readUInt32BE(20)
    if (clusterBits < 9 || clusterBits > 21) refuse(`its clusters of 2^${clusterBits} bytes are not supported`)
    const features = version === 3 ? await readFeatures(bytes) : 0n
    const size = checkVirtualSize(u64(head, 24, 'be'), limits)
    checkTables(bytes, head, { size, clusterSize: 2 ** clusterBits, entrySize: features & extendedL2 ? 16 : 8 })
    await checkExtensions(bytes, version, 2 ** clusterBits)
    return size
  },
}

async function readFeatures(bytes: Bytes): Promise<bigint> {
  const head = await exactly(bytes, 72, 32)
  const features = head.readBigUInt64BE(0)
  if (features & externalData) refuse('it has an external data file')
  if (features & corrupt) refuse('it is marked as corrupt')
  if (features & ~knownFeatures) refuse('it needs features that are not known')
  if (head.readUInt32BE(24) > 6) refuse('its reference counts are too wide')
  return features
}

interface Geometry {
  size: number
  clusterSize: number
  entrySize: number
}

function checkTables(bytes: Bytes, head: Buffer, { size, clusterSize, entrySize }: Geometry): void {
  const l1Bytes = head.readUInt32BE(36) * 8
  if (l1Bytes > maxL1Bytes) refuse('its L1 table is absurdly large')
  const l1Offset = u64(head, 40, 'be')
  const covered = (l1Bytes / 8) * clusterSize * (clusterSize / entrySize)
  if (covered < size) refuse('its L1 table does not cover its disk')
  if (l1Offset % clusterSize !== 0 || (l1Bytes > 0 && l1Offset + l1Bytes > bytes.size))
    refuse('its L1 table is outside of the file')
  const refcountOffset = u64(head, 48, 'be')
  const refcountClusters = head.readUInt32BE(56)
  if (refcountClusters * clusterSize > maxRefcountTableBytes) refuse('its refcount table is absurdly large')
  if (refcountOffset % clusterSize !== 0 || refcountOffset >= bytes.size)
    refuse('its refcount table is outside of the file')
  if (head.readUInt32BE(60) > maxSnapshots) refuse('it has too many snapshots')
}

/** Walks the header's extensions, which may name files or hold keys. */
async function checkExtensions(bytes: Bytes, version: number, clusterSize: number): Promise<void> {
  const start = version === 3 ? (await exactly(bytes, 100, 4)).readUInt32BE(0) : 72
  if (start < 72 || start > clusterSize || start % 8 !== 0) refuse('the length of its header is wrong')
  // QEMU keeps all of it in the first cluster, at most 2 MiB.
  const area = await bytes.read(0, clusterSize)
  for (let at = start; at + 8 <= area.length; ) {
    const type = area.readUInt32BE(at)
    const length = area.readUInt32BE(at + 4)
    if (type === 0) return
    if (type === dataFileName) refuse('it has an external data file')
    if (type === encryptionHeader) refuse('it is encrypted')
    if (at + 8 + length > area.length) refuse('an extension of its header is too long')
    at += 8 + Math.ceil(length / 8) * 8
  }
}
