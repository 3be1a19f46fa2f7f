/** VHD and VHDX, the formats of Virtual PC and Hyper-V. Differencing disks are refused: they name a parent. */
import { type Bytes, checkVirtualSize, exactly, type Format, refuse, u64 } from './parser.ts'

const footerSize = 512

async function vhdFooter(bytes: Bytes): Promise<Buffer | undefined> {
  const head = await bytes.read(0, footerSize)
  if (head.subarray(0, 8).toString('latin1') === 'conectix') return head
  if (bytes.size < footerSize) return undefined
  const tail = await bytes.read(bytes.size - footerSize, footerSize)
  return tail.subarray(0, 8).toString('latin1') === 'conectix' ? tail : undefined
}

export const vhd: Format = {
  name: 'vhd',
  detect: async bytes => (await vhdFooter(bytes)) !== undefined,
  async inspect(bytes, limits) {
    const footer = await vhdFooter(bytes)
    if (!footer || footer.length < footerSize) refuse('it ends within its header')
    const type = footer.readUInt32BE(60)
    if (type === 4) refuse('it has a backing file')
    if (type !== 2 && type !== 3) refuse(`VHD type ${type} is not supported`)
    return checkVirtualSize(u64(footer, 48, 'be'), limits)
  },
}

const regionTables = [192 * 1024, 256 * 1024]
const metadataRegion = guid('8b7ca206-4790-4b9a-b8fe-575f050f886e')
const fileParameters = guid('caa16737-fa36-4d43-b3b6-33f0aa44e76b')
const virtualDiskSize = guid('2fa54224-cd1b-4876-b211-5dbed83bf4b8')
const maxEntries = 2047

export const vhdx: Format = {
  name: 'vhdx',
  detect: (_bytes, head) => head.subarray(0, 8).toString('latin1') === 'vhdxfile',
  async inspect(bytes, limits) {
    const metadata = await metadataOffset(bytes)
    const items = await metadataItems(bytes, metadata)
    const parameters = items.get(fileParameters)
    const size = items.get(virtualDiskSize)
    if (parameters === undefined || size === undefined) refuse('its metadata is not whole')
    if ((await exactly(bytes, metadata + parameters, 8)).readUInt32LE(4) & 2) refuse('it has a backing file')
    return checkVirtualSize(u64(await exactly(bytes, metadata + size, 8), 0, 'le'), limits)
  },
}

async function metadataOffset(bytes: Bytes): Promise<number> {
  for (const at of regionTables) {
    const head = await exactly(bytes, at, 16)
    if (head.subarray(0, 4).toString('latin1') !== 'regi') continue
    const count = Math.min(head.readUInt32LE(8), maxEntries)
    const table = await exactly(bytes, at + 16, count * 32)
    for (let i = 0; i < count; i++)
      if (table.toString('hex', i * 32, i * 32 + 16) === metadataRegion) return u64(table, i * 32 + 16, 'le')
  }
  return refuse('its metadata is missing')
}

/** Where each item is, from the start of the metadata. */
async function metadataItems(bytes: Bytes, offset: number): Promise<Map<string, number>> {
  const head = await exactly(bytes, offset, 32)
  if (head.subarray(0, 8).toString('latin1') !== 'metadata') refuse('its metadata is missing')
  const count = Math.min(head.readUInt16LE(10), maxEntries)
  const table = await exactly(bytes, offset + 32, count * 32)
  const items = new Map<string, number>()
  for (let i = 0; i < count; i++) items.set(table.toString('hex', i * 32, i * 32 + 16), table.readUInt32LE(i * 32 + 16))
  return items
}

/** A GUID as its bytes in a file, in hexadecimal: the first three parts are little-endian. */
function guid(text: string): string {
  const [a, b, c, d, e] = text.split('-') as [string, string, string, string, string]
  const turned = (part: string) => Buffer.from(part, 'hex').reverse().toString('hex')
  return turned(a) + turned(b) + turned(c) + d + e
}
