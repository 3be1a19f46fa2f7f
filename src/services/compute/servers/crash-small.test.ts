/** Actions of one step, and what goes on with a server that is no action of its own, at every step. */
import { act, crashStories, type Flow } from './fixtures/crash-stories.ts'
import { tiny } from './fixtures/world.ts'

const same = { ends: 'ACTIVE', fails: 'ACTIVE' } as const

/** Its port goes where ports are. */
const deletePort: Flow['begin'] = async (cloud, who, id) => {
  const path = `/servers/${id}/os-interface`
  const { body } = await cloud.api<{ interfaceAttachments: { port_id: string }[] }>(who, 'GET', path)
  const port = body.interfaceAttachments[0]!.port_id
  await cloud.request('DELETE', `/network/v2.0/ports/${port}`, { token: who.token })
}

crashStories({
  start: {
    saga: 'start',
    prepare: [{ 'os-stop': null }],
    begin: act({ 'os-start': null }),
    ends: 'ACTIVE',
    fails: 'SHUTOFF',
  },
  'power-off': { saga: 'power-off', begin: act({ 'power-off': null }), ends: 'SHUTOFF', fails: 'ACTIVE' },
  'power-on': {
    saga: 'power-on',
    prepare: [{ 'power-off': null }],
    begin: act({ 'power-on': null }),
    ends: 'ACTIVE',
    fails: 'SHUTOFF',
  },
  unpause: {
    saga: 'unpause',
    prepare: [{ pause: null }],
    begin: act({ unpause: null }),
    ends: 'ACTIVE',
    fails: 'PAUSED',
  },
  suspend: { saga: 'suspend', begin: act({ suspend: null }), ends: 'SUSPENDED', fails: 'ACTIVE' },
  'crash dump': { saga: 'trigger_crash_dump', begin: act({ trigger_crash_dump: null }), ...same },
  backup: {
    saga: 'createBackup',
    begin: act({ createBackup: { name: 'copy', backup_type: 'daily', rotation: 1 } }),
    ...same,
    undone: true,
  },
  'incremental backup': {
    saga: 'createBackup',
    prepare: [{ createBackup: { name: 'first', backup_type: 'incremental', rotation: 2 } }],
    begin: act({ createBackup: { name: 'copy', backup_type: 'incremental', rotation: 2 } }),
    ...same,
    undone: true,
  },
  'network info': { saga: 'injectNetworkInfo', begin: act({ injectNetworkInfo: null }), admin: true, ...same },
  'port deleted': { saga: 'compute.ports.unplug', begin: deletePort, ...same, keepsNics: true },
  tidying: {
    saga: 'compute.moves.tidy',
    begin: act({ rebuild: { imageRef: tiny } }),
    ...same,
    repaired: 'compute.lost-asides',
  },
})
