/** An upload that broke off and goes on: what had come is kept until it is stale, and the rest is sent with a Content-Range. */
import { open, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Fault } from '#kernel/errors.ts'
import { noImage } from '../images/image.ts'
import { type ImageRow, images } from '../images/store.ts'
import { pathIn } from '../stores.ts'
import { partOf } from './blob.ts'

export interface Rest {
  /** How many bytes were before; undefined when the sender only asks how many are here. */
  after: number | undefined
  total: number
}

/** What a Content-Range header says: `bytes 1000-1999/2000`, to the end of the image, or only asks, with a star in place of the bytes. */
export function restOf(header: string | undefined): Rest | undefined {
  if (header === undefined) return undefined
  const match = /^bytes (?:\*|(\d{1,15})-(\d{1,15}))\/(\d{1,15})$/.exec(header.trim())
  if (!match) throw new BadRequest(`The Content-Range ${header} is not of the form bytes FIRST-LAST/ALL.`)
  const [, first, last, all] = match
  const total = Number(all)
  if (first === undefined) return { after: undefined, total }
  if (Number(last) !== total - 1 || Number(first) >= total)
    throw new BadRequest('A Content-Range has to reach to the end of the image.')
  return { after: Number(first), total }
}

/** Whether the sender went away before the end. */
export const isInterruption = (error: unknown): boolean =>
  ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String((error as { code?: unknown }).code))

/** How many bytes of an upload that broke off are here. */
export async function received(ctx: Ctx, { blob, status }: ImageRow, landing: string): Promise<number> {
  if (status !== 'saving' || blob === null) return 0
  await using part = await open(partOf(await pathIn(ctx, landing, blob))).catch(() => undefined)
  return part ? (await part.stat()).size : 0
}

interface Part extends AsyncDisposable {
  /** The first bytes of the image. */
  bytes: Readable
  /** Makes the upload that of another blob: whoever still writes to this one writes in vain. */
  takeOver(blob: string): Promise<ImageRow>
}

/** The first `length` bytes of an upload that broke off. Throws 416 when there are fewer. */
export async function openPart(ctx: Ctx, id: string, landing: string, length: number): Promise<Part> {
  const row = await images.find(ctx.db, { id })
  if (!row) throw noImage(id)
  if (row.status !== 'saving' || row.blob === null)
    throw new Conflict(`There is no upload of image ${id} that could be gone on with: its status is ${row.status}.`)
  const path = partOf(await pathIn(ctx, landing, row.blob))
  const file = await open(path).catch(() => undefined)
  const here = file ? (await file.stat()).size : 0
  if (!file || here < length) {
    await file?.close()
    throw tooFar(length, here)
  }
  return {
    bytes: file.createReadStream({ start: 0, end: length - 1, highWaterMark: 262_144, autoClose: false }),
    async takeOver(blob) {
      const now = new Date(ctx.clock.now()).toISOString()
      const taken = { blob, alive_at: now, updated_at: now }
      if ((await images.update(ctx.db, { id, status: 'saving', blob: row.blob }, taken)) === 0)
        throw new Conflict(`The upload of image ${id} is gone on with by somebody else.`)
      return { ...row, ...taken }
    },
    async [Symbol.asyncDispose]() {
      await file.close()
      if ((await images.count(ctx.db, { blob: row.blob })) === 0) await rm(path, { force: true })
    },
  }
}

/** The header that says how much is here; none when nothing is. */
export const rangeHere = (here: number): Record<string, string> => (here > 0 ? { range: `bytes=0-${here - 1}` } : {})

const tooFar = (length: number, here: number) =>
  new Fault(416, 'Requested Range Not Satisfiable', `Only ${here} bytes are here, not ${length}: send from there.`, {
    headers: rangeHere(here),
  })
