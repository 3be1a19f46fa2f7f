/** Volumes at every step: they are their server's or free, never half of each. */
import { crashStories, type Flow } from './fixtures/crash-stories.ts'
import type { ServerCloud } from './fixtures/server-cloud.ts'
import { tiny } from './fixtures/world.ts'

const path = (id: string) => `/servers/${id}/os-volume_attachments`

const free = async (cloud: ServerCloud, project_id: string, patch = {}) =>
  (await cloud.volumes.put(cloud.ctx(), { project_id, ...patch })).id

const attach: Flow['begin'] = async (cloud, who, id) => {
  const volumeId = await free(cloud, (await cloud.row(id)).project_id)
  await cloud.api(who, 'POST', path(id), { volumeAttachment: { volumeId } })
}

/** The server has a volume before its flow begins. */
const attached = async (cloud: ServerCloud, id: string) => {
  await attach(cloud, await cloud.admin(), id)
  await cloud.env.sagas.idle()
}

const ownVolume = async (cloud: ServerCloud, id: string) =>
  (await cloud.volumes.all(cloud.ctx())).find(one => one.attachments.some(({ server_id }) => server_id === id))!.id

const detach: Flow['begin'] = async (cloud, who, id) =>
  cloud.api(who, 'DELETE', `${path(id)}/${await ownVolume(cloud, id)}`)

const swap: Flow['begin'] = async (cloud, who, id) => {
  const old = await cloud.volumes.get(cloud.ctx(), await ownVolume(cloud, id))
  await cloud.volumes.put(cloud.ctx(), { ...old, migration_status: 'migrating' })
  const volumeId = await free(cloud, old.project_id)
  await cloud.api(who, 'PUT', `${path(id)}/${old.id}`, { volumeAttachment: { volumeId } })
}

const fromVolume = {
  imageRef: undefined,
  block_device_mapping_v2: [
    {
      source_type: 'image',
      destination_type: 'volume',
      uuid: tiny,
      boot_index: 0,
      volume_size: 1,
      delete_on_termination: true,
    },
  ],
}

crashStories({
  'boot from volume': {
    saga: 'create',
    volumes: true,
    wish: fromVolume,
    begin: async () => {},
    ends: 'ACTIVE',
    fails: 'ERROR',
    undone: true,
  },
  'attach volume': {
    saga: 'attach_volume',
    volumes: true,
    begin: attach,
    ends: 'ACTIVE',
    fails: 'ACTIVE',
    undone: true,
  },
  'detach volume': {
    saga: 'detach_volume',
    volumes: true,
    also: attached,
    begin: detach,
    ends: 'ACTIVE',
    fails: 'ACTIVE',
  },
  'swap volume': {
    saga: 'swap_volume',
    volumes: true,
    also: attached,
    begin: swap,
    admin: true,
    ends: 'ACTIVE',
    fails: 'ACTIVE',
    undone: true,
  },
})
