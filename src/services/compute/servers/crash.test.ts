/** Whatever happens at whichever step of whatever is done to a server: it ends, in the right state, and nothing is left behind. */
import { act, crashStories, type Flow } from './fixtures/crash-stories.ts'

const attach: Flow['begin'] = (cloud, who, id) =>
  cloud.api(who, 'POST', `/servers/${id}/os-interface`, { interfaceAttachment: { net_id: cloud.network } })

const detach: Flow['begin'] = async (cloud, who, id) => {
  const path = `/servers/${id}/os-interface`
  const { body } = await cloud.api<{ interfaceAttachments: { port_id: string }[] }>(who, 'GET', path)
  await cloud.api(who, 'DELETE', `${path}/${body.interfaceAttachments[0]!.port_id}`)
}

/** Of the actions that have one step, some. */
const flows: Record<string, Flow> = {
  create: { saga: 'create', begin: async () => {}, ends: 'ACTIVE', fails: 'ERROR', undone: true },
  delete: {
    saga: 'delete',
    begin: (cloud, who, id) => cloud.api(who, 'DELETE', `/servers/${id}`),
    ends: 'gone',
    fails: 'ERROR',
  },
  stop: { saga: 'stop', begin: act({ 'os-stop': null }), ends: 'SHUTOFF', fails: 'ACTIVE' },
  pause: { saga: 'pause', begin: act({ pause: null }), ends: 'PAUSED', fails: 'ACTIVE', undone: true },
  resume: {
    saga: 'resume',
    prepare: [{ suspend: null }],
    begin: act({ resume: null }),
    ends: 'ACTIVE',
    fails: 'SUSPENDED',
  },
  'hard reboot': { saga: 'reboot', begin: act({ reboot: { type: 'HARD' } }), ends: 'ACTIVE', fails: 'ACTIVE' },
  snapshot: {
    saga: 'createImage',
    begin: act({ createImage: { name: 'copy' } }),
    ends: 'ACTIVE',
    fails: 'ACTIVE',
    undone: true,
  },
  attach: { saga: 'attach_interface', begin: attach, ends: 'ACTIVE', fails: 'ACTIVE', undone: true },
  detach: { saga: 'detach_interface', begin: detach, ends: 'ACTIVE', fails: 'ACTIVE' },
}

crashStories(flows)
