/** Operations that can only refuse today, and why: nothing that calls them has a good answer. */

export interface Refusal {
  why: string
  status: number
  /** The words of the answer. */
  says: RegExp
  /** What it is asked with, else nothing. */
  body?: object
}

const nothing = '00000000-0000-4000-8000-000000000001'
const noVolumes = 'refuses: there is no volume service'
const noShares = 'refuses: there is no file service'
const noNodes = { why: 'refuses: there is no bare-metal service', status: 400, says: /Please use Ironic command/ }
const noShare = { why: noShares, status: 404, says: /^Share .* could not be found/ }

export const refusals: Record<string, Refusal> = {
  'compute.assisted_volume_snapshots.create': {
    why: noVolumes,
    status: 400,
    says: /^No volume Block Device Mapping with id/,
    body: { snapshot: { volume_id: nothing, create_info: { snapshot_id: nothing, type: 'qcow2', new_file: 'x' } } },
  },
  'compute.assisted_volume_snapshots.delete': { why: noVolumes, status: 400, says: /^'delete_info'$/ },
  'compute.server_shares.create': { ...noShare, body: { share: { share_id: nothing } } },
  'compute.server_shares.show': noShare,
  'compute.server_shares.delete': noShare,
  'compute.baremetal_nodes.create': { ...noNodes, body: {} },
  'compute.baremetal_nodes.show': { ...noNodes, status: 404, says: /^Node .* could not be found/ },
  'compute.baremetal_nodes.delete': noNodes,
  'compute.baremetal_nodes.add_interface': { ...noNodes, body: { add_interface: null } },
  'compute.baremetal_nodes.remove_interface': { ...noNodes, body: { remove_interface: null } },
  'compute.servers.get_spice_console': {
    why: 'refuses: no driver has SPICE',
    status: 400,
    says: /^Unavailable console type spice-html5/,
    body: { 'os-getSPICEConsole': { type: 'spice-html5' } },
  },
}
