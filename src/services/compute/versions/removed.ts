/** Routes that upstream took away but still answers: 410, so that old clients learn that it is of no use to try again. */
import { Gone } from '#kernel/errors.ts'
import { type Method, type Operation, operation } from '#kernel/operation.ts'

/** Methods and path. */
const removed: [string, string][] = [
  ['POST GET', '/os-cells'],
  ['GET', '/os-cells/capacities'],
  ['GET', '/os-cells/detail'],
  ['GET', '/os-cells/info'],
  ['POST', '/os-cells/sync_instances'],
  ['GET PUT DELETE', '/os-cells/{id}'],
  ['GET', '/os-cells/{id}/capacities'],
  ['POST', '/os-certificates'],
  ['GET', '/os-certificates/{id}'],
  ['GET POST', '/os-cloudpipe'],
  ['PUT', '/os-cloudpipe/{id}'],
  ['GET', '/os-fixed-ips/{id}'],
  ['POST', '/os-fixed-ips/{id}/action'],
  ['GET', '/os-floating-ip-dns'],
  ['PUT DELETE', '/os-floating-ip-dns/{id}'],
  ['GET', '/os-floating-ip-dns/{id}/entries/{part}'],
  ['PUT DELETE', '/os-floating-ip-dns/{id}/entries/{part}'],
  ['GET POST', '/os-floating-ips-bulk'],
  ['GET PUT', '/os-floating-ips-bulk/{id}'],
  ['GET', '/os-fping'],
  ['GET', '/os-fping/{id}'],
  ['POST', '/os-networks'],
  ['POST', '/os-networks/add'],
  ['DELETE', '/os-networks/{id}'],
  ['POST', '/os-networks/{id}/action'],
  ['GET POST', '/os-security-group-default-rules'],
  ['GET DELETE', '/os-security-group-default-rules/{id}'],
  ['POST', '/os-tenant-networks'],
  ['DELETE', '/os-tenant-networks/{id}'],
  ['GET POST', '/servers/{id}/consoles'],
  ['GET DELETE', '/servers/{id}/consoles/{part}'],
  ['GET', '/servers/{id}/os-virtual-interfaces'],
]

/** Actions of a server. */
const removedActions = ['resetNetwork', 'os-getRDPConsole']

async function gone(): Promise<never> {
  throw new Gone('This resource is no longer available. No forwarding address is given.')
}

const common = { summary: 'Removed upstream', policy: 'authenticated', status: 410, handle: gone } as const

export const removedOperations: Operation[] = [
  ...removed.flatMap(([methods, path]) =>
    methods.split(' ').map(method =>
      operation({
        ...common,
        id: `compute.removed.${method.toLowerCase()}${path.replace(/[^a-z0-9]+/gi, '_')}`,
        method: method as Method,
        path: `/v2.1${path}`,
      }),
    ),
  ),
  ...removedActions.map(action =>
    operation({
      ...common,
      id: `compute.removed.${action}`,
      method: 'POST',
      path: '/v2.1/servers/{server_id}/action',
      action,
    }),
  ),
]
