/** What is undone at a server's home after an evacuation that failed, at every step: the guest has what its server has in the end. */
import { randomUUID } from 'node:crypto'
import type { TestProject } from '../../../../test/harness.ts'
import { isVolume } from './block-device.ts'
import { act, crashStories, type Flow } from './fixtures/crash-stories.ts'
import type { ServerCloud } from './fixtures/server-cloud.ts'
import { volumeDisk } from './guest-spec.ts'
import { serverSagas } from './operations.ts'
import { updateServer } from './store.ts'
import { devicesOf } from './store-block-devices.ts'

interface Home {
  cloud: ServerCloud
  who: TestProject
  id: string
  host: string
  driver: ServerCloud['drivers'][string]
}

/** Brings the guest out of line, as a work does that was cut off; what that says is the undo's input. */
function outOfLine(saga: string, change: (home: Home) => Promise<object>): Pick<Flow, 'saga' | 'begin'> {
  return {
    saga,
    async begin(cloud, who, id) {
      const host = (await cloud.row(id)).host!
      const input = await change({ cloud, who, id, host, driver: cloud.drivers[host]! })
      const definition = serverSagas.find(one => one.id === saga)!
      await cloud.env.sagas.start(cloud.ctx(), definition, { server_id: id, host, ...input }, id)
    },
  }
}

const same = { ends: 'ACTIVE', fails: 'ACTIVE' } as const

const free = async (cloud: ServerCloud, id: string) =>
  (await cloud.volumes.put(cloud.ctx(), { project_id: (await cloud.row(id)).project_id })).id

const attach = async (cloud: ServerCloud, id: string) => {
  const volumeAttachment = { volumeId: await free(cloud, id) }
  await cloud.api(await cloud.admin(), 'POST', `/servers/${id}/os-volume_attachments`, { volumeAttachment })
  await cloud.env.sagas.idle()
}

const deviceOf = async ({ cloud, id }: Home) => (await devicesOf(cloud.ctx(), id)).find(isVolume)!

const diskOf = async (home: Home) =>
  volumeDisk(home.cloud.ctx(), await deviceOf(home), home.host, new AbortController().signal)

crashStories({
  'a NIC taken back': {
    ...same,
    ...outOfLine('compute.guests.take-back-nic', async ({ id, driver }) => {
      const [nic] = driver.guests.get(id)!.nics
      const port_id = randomUUID()
      await driver.attachNic(id, { ...nic!, port_id })
      return { port_id }
    }),
  },
  'a NIC given back': {
    ...same,
    ...outOfLine('compute.guests.give-back-nic', async ({ id, driver }) => {
      const { port_id } = driver.guests.get(id)!.nics[0]!
      await driver.detachNic(id, port_id)
      return { port_id }
    }),
  },
  'a volume taken back': {
    ...same,
    volumes: true,
    ...outOfLine('compute.guests.take-back-volume', async ({ cloud, id, driver }) => {
      const volume_id = await free(cloud, id)
      const [root] = driver.guests.get(id)!.spec.disks
      await driver.attachDisk(id, { ...root!, id: volume_id })
      return { volume_id }
    }),
  },
  'a volume given back': {
    ...same,
    volumes: true,
    also: attach,
    ...outOfLine('compute.guests.give-back-volume', async home => {
      const device = await deviceOf(home)
      await home.driver.detachDisk(home.id, device.volume_id)
      return { device_id: device.id }
    }),
  },
  'a volume swapped back': {
    ...same,
    volumes: true,
    also: attach,
    ...outOfLine('compute.guests.swap-volume-back', async home => {
      const to = await deviceOf(home)
      const from = await free(home.cloud, home.id)
      await home.driver.swapDisk(home.id, to.volume_id, { ...(await diskOf(home)), id: from })
      return { from, to }
    }),
  },
  'the own disk of a rescued guest': {
    ...same,
    ...outOfLine('compute.guests.own-disk-again', async ({ cloud, who, id }) => {
      await act({ rescue: {} })(cloud, who, id)
      await cloud.env.sagas.idle()
      await updateServer(cloud.ctx(), id, { vm_state: 'active', recovery: null })
      return { power_on: true }
    }),
  },
})
