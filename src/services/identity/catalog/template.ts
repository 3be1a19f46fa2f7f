/** A catalog from a file, in the form of upstream's templates: `catalog.RegionOne.compute.publicURL = http://…/v2.1`. Read again when the file has changed. */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { Unavailable } from '#kernel/errors.ts'
import type { Offer } from './catalog.ts'

const known = perCloud(() => ({ changed: -1, offers: [] as Offer[] }))

export async function catalogOfFile(ctx: Ctx, file: string): Promise<Offer[]> {
  const kept = known(ctx)
  try {
    const { mtimeMs } = await stat(file)
    if (kept.changed !== mtimeMs)
      Object.assign(kept, { offers: offersOf(await readFile(file, 'utf8')), changed: mtimeMs })
  } catch (cause) {
    ctx.log.error({ err: cause, file }, 'the catalog cannot be read')
    throw new Unavailable('The catalog of this cloud cannot be read at the moment.', { cause })
  }
  return kept.offers
}

const faces = { publicURL: 'public', internalURL: 'internal', adminURL: 'admin' } as const

/** The same for the same place, in every process. */
const idOf = (...words: string[]) => createHash('md5').update(words.join('\n')).digest('hex')

/** Throws, naming the line, for what is not of that form. */
export function offersOf(text: string): Offer[] {
  const offers = new Map<string, Offer>()
  for (const [i, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const [, region, type, key, value] = /^\s*catalog\.([^.\s]+)\.([^.\s]+)\.(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (region === undefined || type === undefined || key === undefined || value === undefined) {
      throw new Error(`line ${i + 1}: expected catalog.REGION.SERVICE.KEY = VALUE`)
    }
    const offer = offers.get(type) ?? { service: { id: idOf(type), type, name: type }, endpoints: [] }
    offers.set(type, offer)
    if (key === 'name') offer.service.name = value
    if (!Object.hasOwn(faces, key)) continue
    const face = faces[key as keyof typeof faces]
    offer.endpoints.push({ id: idOf(region, type, face), interface: face, region_id: region, url: value })
  }
  return [...offers.values()]
}
