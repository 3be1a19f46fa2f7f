/** What clients do with images: uploads, imports in all ways that there are, copies to another store. */
import { emptyQcow2 } from '../../src/services/compute/drivers/fake-disk.ts'
import type { Account, Request } from './clients.ts'
import type { Act } from './mix-servers.ts'
import { type Page, site } from './web.ts'

const path = '/image/v2/images'
const disk = () => emptyQcow2(1024 ** 3)

/** What the web has of images. */
export const imagePages: Record<string, () => Page> = {
  '/image': () => ({ bytes: disk() }),
  '/slow-image': () => ({ bytes: disk(), afterMs: 40_000 }),
  '/broken-image': () => ({ bytes: disk(), broken: true }),
  '/no-image': () => ({ bytes: Buffer.from('not an image') }),
}

const sent = (target: string, bytes: Buffer): Request => {
  return { method: 'PUT', path: target, body: bytes, headers: { 'content-type': 'application/octet-stream' } }
}

const make = (account: Account): Request => ({
  ...{ method: 'POST', path, makes: 'image' },
  body: { name: `own of ${account.name}`, disk_format: 'qcow2', container_format: 'bare' },
})

/** Of the images that are there, the newest: the others have their bytes already, most likely. */
const newest = ({ known }: Account) => known.image.at(-1)

const image: Act = ({ dice }, account) => {
  const id = newest(account)
  const copied = dice.pick(account.known.copied)
  // Of two stores; only admins may.
  if (copied && account.name === 'admin' && dice.chance(0.3))
    return { method: 'DELETE', path: `/image/v2/stores/${dice.pick(['file', 'second'])}/${copied}` }
  if (!id || dice.chance(0.3)) return make(account)
  if (dice.chance(0.5)) return sent(`${path}/${id}/file`, dice.chance(0.8) ? disk() : Buffer.from('not an image'))
  if (dice.chance(0.5)) return { method: 'GET', path: `${path}/${id}${dice.pick(['', '/file', '/tasks'])}` }
  const gone = dice.pick(account.known.image)!
  return { method: 'DELETE', path: `${path}/${gone}`, removes: ['image', gone] }
}

const imports: Act = ({ dice, first }, account) => {
  const { known } = account
  const id = newest(account)
  if (!id || dice.chance(0.2)) return make(account)
  const bring = (method: object, more: object = {}, image = id): Request => ({
    ...{ method: 'POST', path: `${path}/${image}/import`, body: { method, ...more } },
    heard: ({ status }) => void (status < 300 && 'all_stores' in more && known.copied.push(image)),
  })
  const stores = dice.pick([
    {},
    { all_stores: true, all_stores_must_succeed: dice.chance(0.5) },
    { stores: ['second'] },
  ])
  switch (dice.pick(['stage', 'stage', 'direct', 'direct', 'web', 'web', 'copy', 'elsewhere'])) {
    case 'stage':
      return {
        ...sent(`${path}/${id}/stage`, dice.chance(0.9) ? disk() : Buffer.from('not an image')),
        heard: ({ status }) => void (status < 300 && known.staged.push(id)),
      }
    case 'direct':
      return bring({ name: 'glance-direct' }, stores, known.staged.pop())
    case 'web':
      return bring({ name: 'web-download', uri: site + dice.pick(Object.keys(imagePages)) }, stores)
    case 'copy':
      return bring(
        { name: 'copy-image' },
        dice.pick([{ all_stores: true }, { stores: ['second'] }, { stores: ['file'] }]),
      )
    default:
      return bring({ name: 'glance-download', glance_region: 'RegionOne', glance_image_id: first.image }, stores)
  }
}

export const imageActs: Record<string, [number, Act]> = { image: [4, image], imports: [5, imports] }
