/** Request ids: ours for every request, and the one that a caller sent along. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Env } from '../context.ts'
import type { Service } from '../service.ts'

export interface RequestIds {
  requestId: string
  globalRequestId: string | undefined
}

const valid = /^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const known = new WeakMap<FastifyRequest, RequestIds>()

/** The request's ids; the same at every call for one request. */
export function requestIds(env: Env, request: FastifyRequest): RequestIds {
  const before = known.get(request)
  if (before) return before
  const sent = request.headers['x-openstack-request-id']
  const ids = {
    requestId: `req-${env.ids.uuid()}`,
    globalRequestId: typeof sent === 'string' && valid.test(sent) ? sent : undefined,
  }
  known.set(request, ids)
  return ids
}

/** Tells the caller the request's id, by each header that the service's clients look for. */
export function tellRequestId(service: Service | undefined, reply: FastifyReply, { requestId }: RequestIds): void {
  reply.header('x-openstack-request-id', requestId)
  if (service?.requestIdHeader) reply.header(service.requestIdHeader, requestId)
}
