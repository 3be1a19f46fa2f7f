/** Encryption of the disks that a server has on its host: whether it is asked for, and the key, which is lost with the server. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { isTrue } from '../dialect.ts'
import type { ServerFlavor, ServerImage, ServerRow } from './server.ts'
import { guestDataOf } from './store.ts'

const keyBytes = 32

/** Whether flavor or image ask for it. Throws when they contradict each other, or ask for a form that no host has. */
export function encryptionAsked(flavor: ServerFlavor, image: ServerImage | null): boolean {
  const asked = settled(flavor, image, 'ephemeral_encryption')
  const format = settled(flavor, image, 'ephemeral_encryption_format')
  if (!isTrue(asked)) return false
  if (format !== undefined && format !== 'luks') {
    throw new BadRequest(`Ephemeral encryption in the format ${format} is not supported: use luks.`)
  }
  return true
}

function settled(flavor: ServerFlavor, image: ServerImage | null, name: string): string | undefined {
  const [ofFlavor, ofImage] = [flavor.extra_specs[`hw:${name}`], image?.properties[`hw_${name}`]]
  if (ofFlavor !== undefined && ofImage !== undefined && ofFlavor.toLowerCase() !== ofImage.toLowerCase()) {
    throw new BadRequest(`Conflicting values of ${name} found in the flavor (${ofFlavor}) and the image (${ofImage}).`)
  }
  return ofFlavor ?? ofImage
}

/** A new server's key as it is kept; null when its disks are to be plain. */
export async function newDiskKey(ctx: Ctx, flavor: ServerFlavor, image: ServerImage | null): Promise<string | null> {
  if (!encryptionAsked(flavor, image)) return null
  return ctx.services.identity.sealed(ctx, ctx.ids.bytes(keyBytes).toString('base64'))
}

/** The key as the host needs it; undefined for a server with plain disks. */
export async function diskKeyOf(ctx: Ctx, id: string): Promise<string | undefined> {
  const kept = (await guestDataOf(ctx, id))?.disk_key
  return kept ? ctx.services.identity.unsealed(ctx, kept) : undefined
}

/** Throws where a copy of the disk would be plain. */
export async function refuseEncrypted(ctx: Ctx, { id }: ServerRow): Promise<void> {
  if ((await guestDataOf(ctx, id))?.disk_key)
    throw new Conflict(
      `The disks of instance ${id} are encrypted: they are not copied to images, where they would not be.`,
    )
}

/** Throws when a server whose disks are plain would have to have encrypted ones. What is encrypted stays so. */
export async function requireAsBuilt(
  ctx: Ctx,
  { id }: ServerRow,
  flavor: ServerFlavor,
  image: ServerImage | null,
): Promise<void> {
  if (encryptionAsked(flavor, image) && !(await guestDataOf(ctx, id))?.disk_key)
    throw new BadRequest(`The disks of instance ${id} are not encrypted, and cannot become so: create another server.`)
}
