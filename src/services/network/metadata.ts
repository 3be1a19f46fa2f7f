/** Guests' metadata requests: who asks is known by network and address, and compute answers. */
import type { Ctx } from '#kernel/context.ts'
import type { NetworkControlMethods } from './agent/methods.ts'
import { serverAt } from './server-view.ts'

type Metadata = NetworkControlMethods['metadata']

export async function answerMetadata(
  ctx: Ctx,
  request: Parameters<Metadata>[0],
): Promise<Awaited<ReturnType<Metadata>>> {
  const { network_id, source_ip, method, path, body } = request
  const guest = await serverAt(ctx, network_id, source_ip)
  if (!guest) {
    ctx.log.info(
      { host: request.host, network_id, source_ip },
      'metadata was asked for by an address that no server has',
    )
    return told(404, { 'content-type': 'text/plain' }, 'Not Found\n')
  }
  const answer = await ctx.services.compute.metadata(ctx, { server_id: guest.server_id, path, method, body })
  return told(answer.status, answer.headers, answer.body)
}

/** Bytes survive JSON as base64. */
const told = (status: number, headers: Record<string, string>, body: string | Buffer) => ({
  status,
  headers,
  body_base64: Buffer.from(body as string, 'utf8').toString('base64'),
})
