/** `nephos image replicate`: copies the images that one cloud has and another lacks, with their ids. Any two clouds with the image API will do. */
import { type CloudApi, cloudNamed } from './cloud-api.ts'

interface Image {
  id: string
  name: string | null
  status: string
  size: number | null
  checksum: string | null
  os_hash_algo: string | null
  os_hash_value: string | null
  os_glance_base_image_id?: string
  [attribute: string]: unknown
}

/** What a cloud says of an image by itself, or what means nothing elsewhere. */
const ofItself = new Set([
  ...['status', 'checksum', 'size', 'virtual_size', 'os_hash_algo', 'os_hash_value', 'created_at', 'updated_at'],
  ...['self', 'file', 'schema', 'direct_url', 'locations', 'stores', 'owner'],
])

export interface Replication {
  copied: number
  present: number
  /** Which hold only the changes to another image: of those no cloud gives the bytes away. */
  left: number
  failed: number
}

/** Exit code 1 when an image could not be copied; the others are copied all the same. */
export async function imageReplicate({ from, to, clouds }: { from: string; to: string; clouds: string | undefined }) {
  const source = await cloudNamed(from, 'image', clouds)
  const target = await cloudNamed(to, 'image', clouds)
  const { copied, present, left, failed } = await replicate(source, target, line => console.log(line))
  console.log(`${copied} copied, ${present} there already, ${left} left, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

export async function replicate(from: CloudApi, to: CloudApi, say: (line: string) => void): Promise<Replication> {
  const done: Replication = { copied: 0, present: 0, left: 0, failed: 0 }
  for await (const image of imagesOf(from)) {
    const shown = `${image.id} ${JSON.stringify(image.name)}`
    const base = image.os_glance_base_image_id
    if (base !== undefined) {
      done.left++
      say(`left ${shown}: it holds only what changed since image ${base}, and nobody can download that`)
      continue
    }
    try {
      const copied = await copy(from, to, image)
      done[copied ? 'copied' : 'present']++
      if (copied) say(`copied ${shown}, ${image.size} bytes`)
    } catch (error) {
      done.failed++
      say(`failed ${shown}: ${error instanceof Error ? error.message : error}`)
    }
  }
  return done
}

/** Active images, oldest first. */
async function* imagesOf(cloud: CloudApi): AsyncGenerator<Image> {
  let path: string | undefined = '/v2/images?limit=100&sort=created_at:asc&status=active'
  while (path !== undefined) {
    const page: { images: Image[]; next?: string } = await cloud.json('GET', path)
    yield* page.images
    path = page.next
  }
}

/** False when the other cloud has it. */
async function copy(from: CloudApi, to: CloudApi, image: Image): Promise<boolean> {
  const at = `/v2/images/${image.id}`
  const known = await to.find<Image>(at)
  if (known && known.status !== 'queued') {
    if (!alike(image, known)) throw new Error('the other cloud has another image of that id')
    return false
  }
  if (!known) await to.json('POST', '/v2/images', described(image))
  try {
    // What is passed on is never held: it may be bigger than any memory.
    const bytes = await from.open(`${at}/file`)
    await to.send(`${at}/file`, bytes)
    if (!alike(image, await to.json<Image>('GET', at))) throw new Error('other bytes arrived than were sent')
  } catch (error) {
    if (!known) await to.remove(at).catch(() => {})
    throw error
  }
  return true
}

function described(image: Image): Record<string, unknown> {
  const kept = Object.entries(image).filter(
    ([name, value]) => !ofItself.has(name) && !name.startsWith('os_glance') && value !== null,
  )
  return Object.fromEntries(kept)
}

/** Whether two clouds speak of the same bytes; they may hash them differently. */
function alike(a: Image, b: Image): boolean {
  if (a.size !== b.size) return false
  if (a.os_hash_algo !== null && a.os_hash_algo === b.os_hash_algo) return a.os_hash_value === b.os_hash_value
  return a.checksum === b.checksum
}
