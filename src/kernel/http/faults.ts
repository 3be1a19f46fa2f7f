/** Sends an error in its service's envelope. Whatever is neither a `Fault` nor the database's outage is a bug: logged whole, told to the caller as a bare 500. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Env } from '../context.ts'
import { DatabaseOutage } from '../db/outage.ts'
import { Fault, Unavailable } from '../errors.ts'
import { loggedFacts } from '../log.ts'
import type { RequestFacts } from '../request-facts.ts'
import type { Service } from '../service.ts'
import { tellRequestId } from './request-id.ts'

class Unexpected extends Fault {
  constructor(cause: unknown) {
    super(
      500,
      'Internal Server Error',
      'The server has either erred or is incapable of performing the requested operation.',
      { cause },
    )
  }
}

function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error
  if (error instanceof DatabaseOutage)
    return new Unavailable('The database cannot be used at the moment. Please try again later.', { cause: error })
  return new Unexpected(error)
}

export function sendFault(
  env: Env,
  service: Service | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  facts: RequestFacts,
  version = 0,
): FastifyReply {
  const fault = faultOf(error)
  if (fault.status >= 500)
    env.log.error(
      { err: fault.cause ?? fault, ...loggedFacts(facts), method: request.method, path: request.url.split('?')[0] },
      'request failed',
    )
  else {
    // The message may tell what the client sent, a password among it: it is for the client alone.
    const about = { status: fault.status, fault: fault.type ?? fault.title, field: fault.extra.field }
    env.log.debug({ ...about, ...loggedFacts(facts) }, 'request refused')
  }
  const { body, contentType } = service
    ? service.faults(fault, { requestId: facts.requestId, version, accept: request.headers.accept })
    : { body: { error: { code: fault.status, title: fault.title, message: fault.message } }, contentType: undefined }
  reply.headers(fault.headers)
  tellRequestId(service, reply, facts)
  if (fault.status === 401) reply.header('www-authenticate', `Keystone uri="${env.publicUrl}/identity"`)
  if (request.method === 'HEAD') return reply.status(fault.status).send()
  return reply
    .status(fault.status)
    .header('content-type', contentType ?? 'application/json')
    .send(typeof body === 'string' ? body : Buffer.from(JSON.stringify(body)))
}
