/** Debian's kernel package: the uncompressed kernel inside the compressed one, and the modules in the order they load. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'

/** A decompressor of the kernel's payload, by its first bytes; lz4 is not Node's, so a program does it. */
export type Lz4 = (payload: Buffer) => Promise<Buffer>

/**
 * The ELF kernel in a bzImage (the x86 boot protocol's header says where it is). It has an entry for direct boot (PVH), which saves
 * the guest the unpacking: about a second where QEMU emulates the processor.
 */
export async function kernelElf(image: Buffer, lz4: Lz4): Promise<Buffer> {
  if (image.toString('latin1', 0x202, 0x206) !== 'HdrS') throw new Error('the kernel package has no bzImage')
  const setup = (image[0x1f1]! + 1) * 512
  const start = setup + image.readUInt32LE(0x248)
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c))
  // Kernels append the uncompressed size, except to gzip, which has it anyway.
  const body = payload.subarray(0, -4)
  const elf = await decompress(payload, body, lz4)
  if (elf.readUInt32BE(0) !== 0x7f454c46) throw new Error('the payload of the kernel is not ELF')
  return elf
}

async function decompress(payload: Buffer, body: Buffer, lz4: Lz4): Promise<Buffer> {
  switch (payload.readUInt32BE(0)) {
    case 0x02214c18:
      return lz4(body)
    case 0x28b52ffd:
      return zstdDecompressSync(body)
    case 0x1f8b0800:
      return gunzipSync(payload)
    default:
      throw new Error(`the kernel is compressed in a way unknown here (${payload.toString('hex', 0, 4)})`)
  }
}

/** Modules of a kernel package unpacked at `root`: paths by name, `_` and `-` being the same. */
export function findModules(root: string): { version: string; paths: Map<string, string> } {
  const folder = ['lib/modules', 'usr/lib/modules'].map(place => join(root, place)).find(exists)
  const version = folder && readdirSync(folder)[0]
  if (!folder || !version) throw new Error('the kernel package has no modules')
  const paths = new Map<string, string>()
  for (const path of readdirSync(join(folder, version), { recursive: true }) as string[]) {
    const match = /^(.+)\.ko$/.exec(basename(path))
    if (match) paths.set(moduleName(match[1]!), join(folder, version, path))
  }
  return { version, paths }
}

function exists(path: string): boolean {
  try {
    return readdirSync(path).length > 0
  } catch {
    return false
  }
}

const moduleName = (name: string) => name.replaceAll('-', '_')

/** The wanted modules and all they need, needed ones first. Names without a file are built into the kernel. */
export function loadOrder(wanted: string[], paths: Map<string, string>): string[] {
  const order: string[] = []
  function add(name: string) {
    const path = paths.get(moduleName(name))
    if (!path || order.includes(path)) return
    for (const needed of dependsOf(readFileSync(path))) add(needed)
    order.push(path)
  }
  for (const name of wanted) add(name)
  return order
}

function dependsOf(module: Buffer): string[] {
  const at = module.indexOf('\0depends=')
  if (at < 0) return []
  const start = at + '\0depends='.length
  const names = module.toString('latin1', start, module.indexOf(0, start))
  return names === '' ? [] : names.split(',')
}
