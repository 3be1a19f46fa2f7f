/** Says whether the bytes of an image are what they are declared to be, and safe to give to a hypervisor. */
import { type FileHandle, open } from 'node:fs/promises'
import { UnsupportedMediaType } from '#kernel/errors.ts'
import { vhd, vhdx } from './microsoft.ts'
import { gpt, iso, luks, ploop, qed, vdi } from './others.ts'
import { type Bytes, checkVirtualSize, type Format, type Limits, Refused, refuse } from './parser.ts'
import { qcow2 } from './qcow2.ts'
import { vmdk } from './vmdk.ts'

/** In the order in which they are looked for; a partition table may stand in any raw disk, so it is last. */
const formats: readonly Format[] = [qcow2, vmdk, vhdx, vdi, qed, luks, ploop, vhd, iso, gpt]

/** What a plain disk may look like. Optical images with a partition table boot as disks too. */
const plain = ['raw', 'gpt', 'iso']

const mayHold: Record<string, readonly string[]> = {
  qcow2: ['qcow2'],
  vmdk: ['vmdk'],
  vhd: ['vhd'],
  vhdx: ['vhdx'],
  vdi: ['vdi'],
  ploop: ['ploop'],
  iso: ['iso'],
  gpt: ['gpt'],
  raw: plain,
  // Kernels, ramdisks and the file systems of old are bytes without a format of their own.
  aki: plain,
  ari: plain,
  ami: plain,
}

/** The format that the content shows; `raw` when it shows none. */
export async function detectFormat(bytes: Bytes): Promise<Format | undefined> {
  const head = await bytes.read(0, 4096)
  for (const format of formats) if (await format.detect(bytes, head)) return format
  return undefined
}

export interface Declared {
  disk_format: string
  container_format: string
}

/** The same of a file. */
export async function formatOfFile(path: string): Promise<string> {
  await using file = await open(path, 'r')
  return (await detectFormat(await bytesOf(file)))?.name ?? 'raw'
}

async function bytesOf(file: FileHandle): Promise<Bytes> {
  return {
    size: (await file.stat()).size,
    async read(offset, length) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    },
  }
}

/** What the bytes of an image turned out to be. */
export interface Contents {
  /** Bytes of the disk inside; null when it is inside a container, or nobody can tell. */
  virtual_size: number | null
  found_format: string
  /** Why no hypervisor may have them, where such bytes are kept. */
  unsafe: string | null
}

const isContainer = ({ container_format }: Declared) => !['bare', 'ami', 'aki', 'ari'].includes(container_format)

const allowedIn = (declared: Declared) => (isContainer(declared) ? plain : (mayHold[declared.disk_format] ?? []))

/** Why what was found is not what an image is declared to be. */
export function mismatchOf(declared: Declared, found: string): string | undefined {
  if (allowedIn(declared).includes(found)) return undefined
  return isContainer(declared)
    ? `its container_format is ${declared.container_format} but its content is ${found}`
    : `its disk_format is ${declared.disk_format} but its content is ${found}`
}

/** Throws `Refused`. */
export async function inspect(bytes: Bytes, declared: Declared, limits: Limits): Promise<Contents> {
  const format = await detectFormat(bytes)
  const found = format?.name ?? 'raw'
  const found_format = found === 'iso' && declared.disk_format !== 'iso' && (await isPartitioned(bytes)) ? 'gpt' : found
  const mismatch = limits.any_format ? undefined : mismatchOf(declared, found)
  if (mismatch !== undefined) refuse(mismatch)
  if (isContainer(declared)) return { virtual_size: null, found_format, unsafe: null }
  try {
    const size = format ? await format.inspect(bytes, limits) : checkVirtualSize(bytes.size, limits)
    return { virtual_size: size, found_format, unsafe: null }
  } catch (error) {
    if (!(error instanceof Refused && limits.keep_unsafe)) throw error
    return { virtual_size: null, found_format, unsafe: error.message }
  }
}

/** An optical image that boots as a disk as well. */
const isPartitioned = async (bytes: Bytes) => gpt.detect(bytes, await bytes.read(0, 512))

/** The same of a file. Throws 415 for what is not acceptable. */
export async function inspectFile(path: string, declared: Declared, limits: Limits): Promise<Contents> {
  await using file = await open(path, 'r')
  try {
    return await inspect(await bytesOf(file), declared, limits)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    throw new UnsupportedMediaType(`The image is not acceptable: ${error.message}.`)
  }
}
