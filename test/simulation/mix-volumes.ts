/** What clients do with volumes, as the compute API lets them: made, attached, swapped, detached, and servers that boot from them. */
import type { Account } from './clients.ts'
import type { Dice } from './dice.ts'
import { type Act, serverWish } from './mix-servers.ts'

const compute = '/compute/v2.1'
const headers = { 'openstack-api-version': 'compute latest' }
/** The last version in which the compute API had volumes of its own. */
const older = { 'openstack-api-version': 'compute 2.35' }

const volumes: Act = ({ dice }, { known }) => {
  const path = `${compute}/os-volumes`
  const id = dice.pick(known.volume)
  if (id && dice.chance(known.volume.length / 8))
    return { method: 'DELETE', path: `${path}/${id}`, headers: older, removes: ['volume', id] }
  const body = { volume: { size: 1, display_name: 'disk' } }
  return { method: 'POST', path, headers: older, body, makes: 'volume' }
}

const onServer: Act = ({ dice }, { name, known }) => {
  const [server, volumeId] = [dice.pick(known.server), dice.pick(known.volume)]
  if (!server || !volumeId) return undefined
  const path = `${compute}/servers/${server}/os-volume_attachments`
  const volumeAttachment = { volumeId }
  switch (dice.pick(['attach', 'attach', 'attach', 'detach', 'detach', 'swap', 'list'])) {
    case 'detach':
      return { method: 'DELETE', path: `${path}/${volumeId}`, headers }
    case 'swap':
      if (name !== 'admin') return undefined
      return { method: 'PUT', path: `${path}/${dice.pick(known.volume)}`, headers, body: { volumeAttachment } }
    case 'list':
      return { method: 'GET', path, headers }
    default:
      return { method: 'POST', path, headers, body: { volumeAttachment } }
  }
}

/** What a server is made of: its root on a volume, or volumes and local disks beside it. */
function disks(dice: Dice, { known }: Account, image: string): object[] {
  const root = { source_type: 'image', uuid: image, boot_index: 0, volume_size: 1, delete_on_termination: true }
  const blank = { source_type: 'blank', volume_size: 1, boot_index: -1, delete_on_termination: dice.chance(0.8) }
  const own = dice.pick(known.volume)
  return [
    { ...root, destination_type: dice.pick(['local', 'volume']) },
    ...(dice.chance(0.4) ? [{ ...blank, destination_type: dice.pick(['local', 'volume']) }] : []),
    ...(own && dice.chance(0.6)
      ? [{ source_type: 'volume', uuid: own, destination_type: 'volume', boot_index: -1 }]
      : []),
  ]
}

const create: Act = (world, account) => {
  if (account.known.server.length > 12) return undefined
  const { imageRef: _, ...wish } = serverWish(world, account)
  const image = world.dice.pick([world.first.image, world.first.agentImage])!
  const block_device_mapping_v2 = disks(world.dice, account, image)
  const isLocal = JSON.stringify(block_device_mapping_v2[0]).includes('local')
  const server = { ...wish, flavorRef: '1', ...(isLocal && { imageRef: image }), block_device_mapping_v2 }
  return { method: 'POST', path: `${compute}/servers`, headers, body: { server }, makes: 'server' }
}

export const volumeActs: Record<string, [number, Act]> = {
  volumes: [3, volumes],
  volumesOfServers: [5, onServer],
  serverOfVolumes: [4, create],
}
