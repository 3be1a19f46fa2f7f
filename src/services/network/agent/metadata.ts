/** Hands guests' metadata requests to the control plane. */
import { CallTimeout, NoResponder } from '#kernel/bus/bus.ts'
import type { Client } from '#kernel/bus/methods.ts'
import type { MetadataHandler, MetadataResponse } from '../drivers/driver.ts'
import type { NetworkControlMethods } from './methods.ts'

const maxBodyBytes = 65_536
const maxPathLength = 2_048

/** What guests try again: the control plane is away, not the metadata. */
const away: MetadataResponse = {
  status: 503,
  headers: { 'content-type': 'text/plain', 'retry-after': '5' },
  body: 'Service Unavailable\n',
}

export function forwardMetadata(control: Client<NetworkControlMethods>, host: string): MetadataHandler {
  return async ({ network_id, source_ip, method, path, body }) => {
    if (body.length > maxBodyBytes || path.length > maxPathLength)
      return { status: 413, headers: { 'content-type': 'text/plain' }, body: 'Request Entity Too Large\n' }
    try {
      const answer = await control.call('metadata', {
        host,
        network_id,
        source_ip,
        method,
        path,
        body: body.toString('utf8'),
      })
      return { status: answer.status, headers: answer.headers, body: Buffer.from(answer.body_base64, 'base64') }
    } catch (error) {
      if (error instanceof NoResponder || error instanceof CallTimeout) return away
      throw error
    }
  }
}
