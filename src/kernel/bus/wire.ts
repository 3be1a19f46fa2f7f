/** What goes over the bus as text: payloads, answers and errors. */
import * as errors from '../errors.ts'
import { type CallContext, type Handler, maxPayloadBytes, OversizedPayload, RemoteError } from './bus.ts'

const { Fault, messageOf } = errors

interface WireError {
  name: string
  message: string
  fault?: {
    status: number
    title: string
    type?: string
    headers: Record<string, string>
    extra: Record<string, unknown>
  }
}

type Reply = { result?: unknown } | { error: WireError }

/** Throws `OversizedPayload`. An absent payload arrives as null. */
export function encode(payload: unknown, limit: number = maxPayloadBytes): string {
  const text = JSON.stringify(payload ?? null) ?? 'null'
  // A character is at most three bytes, so short texts need no count.
  if (text.length * 3 > limit) {
    const bytes = Buffer.byteLength(text)
    if (bytes > limit) throw new OversizedPayload(bytes, limit)
  }
  return text
}

/** Runs the handler and encodes what it answers or throws; never rejects. */
export async function answer(handler: Handler, text: string, context: CallContext, limit?: number): Promise<string> {
  try {
    const reply: Reply = { result: await handler(JSON.parse(text), context) }
    return encode(reply, limit)
  } catch (error) {
    return encodeError(error, limit)
  }
}

function encodeError(error: unknown, limit?: number): string {
  const reply = { error: wireError(error) } satisfies Reply
  try {
    return encode(reply, limit)
  } catch {
    // Only the extra members can be too large or circular.
    if (reply.error.fault) reply.error.fault = { ...reply.error.fault, headers: {}, extra: {} }
    return encode(reply, limit)
  }
}

/** The result in an answer, or throws the error in it. */
export function resultOf(text: string): unknown {
  const reply = JSON.parse(text) as Reply
  if ('error' in reply) throw revive(reply.error)
  return reply.result
}

function wireError(error: unknown): WireError {
  // Bounded, because a message may quote what was too large to send.
  const message = messageOf(error).slice(0, 65_536)
  if (!(error instanceof Fault)) return { name: error instanceof Error ? error.name : 'Error', message }
  const { name, status, title, type, headers, extra } = error
  return { name, message, fault: { status, title, headers, extra, ...(type !== undefined && { type }) } }
}

function revive({ name, message, fault }: WireError): Error {
  if (!fault) return new RemoteError(name, message)
  const { status, title, ...options } = fault
  const error = new Fault(status, title, message, options)
  // Subclasses have constructors of their own shapes; what they hold is the same.
  const known = (errors as Record<string, unknown>)[name]
  if (typeof known === 'function' && known.prototype instanceof Fault) Object.setPrototypeOf(error, known.prototype)
  error.name = name
  return error
}
