/** os-volumes_boot: the routes of servers under an older name, up to 2.102. */
import type { Operation } from '#kernel/operation.ts'
import { ordinal, type Version } from '#kernel/schema/version.ts'

const last: Version = '2.102'
const root = '/v2.1/servers'
const paths = [root, `${root}/detail`, `${root}/{server_id}`]
const actions = [
  ...['confirmResize', 'revertResize', 'reboot', 'resize', 'rebuild', 'createImage', 'os-start', 'os-stop'],
  'trigger_crash_dump',
]

function isAliased({ path, action }: Operation): boolean {
  return paths.includes(path) || (path === `${root}/{server_id}/action` && actions.includes(action ?? ''))
}

export function volumesBootOperations(operations: readonly Operation[]): Operation[] {
  return operations.filter(isAliased).map(operation => {
    const { id, path, versions = {} } = operation
    const max = versions.max !== undefined && ordinal(versions.max) < ordinal(last) ? versions.max : last
    return {
      ...operation,
      id: id.replace('compute.servers.', 'compute.volumes_boot.'),
      path: path.replace(root, '/v2.1/os-volumes_boot'),
      versions: { ...versions, max },
    }
  })
}
