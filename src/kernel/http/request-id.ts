/** The facts of a request: our id for it, and those that its caller sent along. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Env } from '../context.ts'
import type { RequestFacts } from '../request-facts.ts'
import type { Service } from '../service.ts'

const validId = /^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const [idHeader, tagHeader] = ['x-openstack-request-id', 'x-nephos-client-tag']
/** Any visible ASCII: what else a caller sends is not kept. */
const validTag = /^[\x21-\x7e]{1,64}$/
const known = new WeakMap<FastifyRequest, RequestFacts>()

/** The same at every call for one request. */
export function requestFacts(env: Env, request: FastifyRequest): RequestFacts {
  const before = known.get(request)
  if (before) return before
  const sent = (header: string, valid: RegExp) => {
    const value = request.headers[header]
    return typeof value === 'string' && valid.test(value) ? value : undefined
  }
  const facts = {
    requestId: `req-${env.ids.uuid()}`,
    globalRequestId: sent(idHeader, validId),
    clientTag: sent(tagHeader, validTag),
  }
  known.set(request, facts)
  return facts
}

/** With them another service is told of the request that it works for. */
export const factHeaders = ({ requestId, globalRequestId, clientTag }: RequestFacts): Record<string, string> => ({
  [idHeader]: globalRequestId ?? requestId,
  ...(clientTag !== undefined && { [tagHeader]: clientTag }),
})

/** Tells the caller the request's id, by each header that the service's clients look for. */
export function tellRequestId(service: Service | undefined, reply: FastifyReply, { requestId }: RequestFacts): void {
  reply.header(idHeader, requestId)
  if (service?.requestIdHeader) reply.header(service.requestIdHeader, requestId)
}
