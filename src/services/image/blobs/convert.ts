/** Converts the disks of imports to the one format that the cloud wants them in, by qemu-img, whose input was looked at first. */
import { open, rm } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { runProgram } from '#kernel/program.ts'
import type { SagaRun } from '#kernel/saga/saga.ts'
import { turnstile } from '#kernel/turnstile.ts'
import { imageConfig } from '../config.ts'
import { type Contents, inspectFile } from '../formats/format.ts'
import { findImage } from '../images/image.ts'
import { roomIn } from '../quota.ts'
import { pathIn, stagingStore, storesOf } from '../stores.ts'
import { keepPart, partOf } from './blob.ts'
import { hashFile } from './hasher.ts'
import type { Stored } from './upload.ts'

export type Target = 'raw' | 'qcow2'

/** QEMU's names of the formats that are converted. Kernels and optical images are what they are. */
const drivers: Record<string, string> = {
  raw: 'raw',
  gpt: 'raw',
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
}

/** In a process. */
const together = 2

interface Declared {
  disk_format: string
  container_format: string
}

interface Converted extends Stored, Contents {
  disk_format: string
}

/** What to convert an import to that begins now; undefined to leave it as it is. */
export function targetOf(ctx: Ctx, method: string): Target | undefined {
  const to = ctx.config.of(imageConfig).convert_imports_to
  return to === '' || method === 'copy-image' ? undefined : to
}

export interface Conversion {
  image: string
  /** The name of the staged file. */
  blob: string
  to: Target
}

/** Steps of an import. The file keeps its name; undefined when it stays as it is. */
export async function convert(
  s: SagaRun,
  conversion: Conversion,
  staged: Stored & Contents & { described?: Partial<Record<keyof Declared, string | null>> | undefined },
): Promise<Converted | undefined> {
  const { ctx } = s
  const path = () => pathIn(ctx, stagingStore, conversion.blob)
  const made = await s.step(
    `convert to ${conversion.to}`,
    async signal => (await convertFile(ctx, conversion, staged, await path(), signal)) ?? null,
    async () => rm(partOf(await path()), { force: true }),
  )
  if (!made) return undefined
  await s.step('take what was converted', async () => takePart(await path()))
  return made
}

async function convertFile(
  ctx: Ctx,
  { image: id, blob, to }: Conversion,
  staged: Parameters<typeof convert>[2],
  path: string,
  signal: AbortSignal,
): Promise<Converted | undefined> {
  const image = await findImage(ctx, id)
  if (!image) throw new Error('the image was deleted')
  const declared = {
    disk_format: staged.described?.disk_format ?? image.disk_format!,
    container_format: staged.described?.container_format ?? image.container_format!,
  }
  const driver = drivers[declared.disk_format]
  checkContents(declared, staged)
  if (driver === undefined || declared.container_format !== 'bare') return undefined
  // What was signed are these bytes.
  if (image.properties.img_signature !== undefined) return undefined
  if (declared.disk_format === to || (driver === 'raw' && to === 'raw')) return undefined
  // It was in a container when it was looked at.
  if (staged.virtual_size === null)
    throw new Error('nobody has looked into the image: its formats were changed meanwhile')
  const room = await roomIn(ctx, image.owner, 'image_stage_total')
  if (to === 'raw' && staged.virtual_size > room)
    throw new Error(`the disk inside has ${staged.virtual_size} bytes, and there is room for ${room}`)
  const { busy } = storesOf(ctx)
  busy.add(blob)
  try {
    await turnsOf(ctx)(() => runConversion(path, driver, to, room, signal), signal)
    return await about(ctx, partOf(path), blob, to)
  } finally {
    busy.delete(blob)
  }
}

/** Nothing that is not what it says, or not safe, is given to qemu-img, also where such images are kept. */
function checkContents({ disk_format, container_format }: Declared, { found_format, unsafe }: Contents): void {
  if (unsafe !== null) throw new Error(`the image is not safe to convert: ${unsafe}`)
  const plain = drivers[disk_format] === 'raw' && drivers[found_format] === 'raw'
  if (container_format === 'bare' && disk_format in drivers && found_format !== disk_format && !plain)
    throw new Error(`the image is declared to be ${disk_format}, but its content is ${found_format}`)
}

/** All that is opened is named here: what the file's own header names is not. */
async function runConversion(path: string, driver: string, to: Target, room: number, signal: AbortSignal) {
  signal.throwIfAborted()
  const source = JSON.stringify({ driver, file: { driver: 'file', filename: basename(path) } })
  const args = ['convert', '-O', to, `json:${source}`, basename(partOf(path))]
  await runProgram('qemu-img', args, { cwd: dirname(path), signal, fileBytes: room, endsWithUs: true })
}

async function about(ctx: Ctx, part: string, blob: string, to: Target): Promise<Converted> {
  await using file = await open(part)
  await file.sync()
  const { size } = await file.stat()
  const limits = { max_virtual_size: ctx.config.of(imageConfig).max_virtual_size_bytes }
  // A raw disk may hold anything, another disk too.
  const lenient = { any_format: true, keep_unsafe: true }
  const found = await inspectFile(part, { disk_format: to, container_format: 'bare' }, { ...limits, ...lenient })
  const contents = to === 'raw' ? { ...found, virtual_size: size } : found
  const { md5, sha512 } = await hashFile(part, size)
  const hashes = { checksum: md5, os_hash_algo: 'sha512', os_hash_value: sha512 }
  return { blob, size, ...hashes, alive_at: null, ...contents, disk_format: to }
}

/** Safe to do again: then the part has its name already. */
async function takePart(path: string): Promise<void> {
  try {
    await keepPart(dirname(path), path)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
    await using _there = await open(path)
  }
}

/** Each takes a core. */
const turnsOf = perCloud(() => turnstile(together))
