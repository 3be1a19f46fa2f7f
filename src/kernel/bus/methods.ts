/** Typed calls: an interface of methods served on one subject, with a version that both sides know. */
import type { RequestFacts } from '../request-facts.ts'
import type { Bus, CallContext } from './bus.ts'

/** What `M` must look like: methods of one input. */
export type Methods<M> = { [N in keyof M]: (input: never, context: CallContext) => Promise<unknown> }

type Method = (input: unknown, context: CallContext) => Promise<unknown>
type Input<F> = F extends (input: infer I, ...rest: never[]) => unknown ? I : never
type Output<F> = F extends (...args: never[]) => Promise<infer O> ? O : never

export interface MethodCallOptions {
  /** Milliseconds since the epoch; the client's timeout applies when absent. */
  deadline?: number
  signal?: AbortSignal
  request?: RequestFacts
  /** Of the method, when it is not the client's. */
  version?: number
}

export interface Client<M> {
  call<N extends keyof M & string>(method: N, input: Input<M[N]>, options?: MethodCallOptions): Promise<Output<M[N]>>
}

/** The other side is older: it lacks the method, or serves an older version of it. Upgrade it, or ask for less. */
export class UnsupportedVersion extends Error {
  readonly method: string
  readonly asked: number
  readonly served: number
  constructor(subject: string, method: string, asked: number, served: number, known: boolean) {
    const lack = known ? '' : ' and has no such method'
    super(`${method} was asked for at version ${asked}, but ${subject} serves version ${served}${lack}.`)
    this.name = 'UnsupportedVersion'
    this.method = method
    this.asked = asked
    this.served = served
  }
}

interface Request {
  method: string
  version: number
  input?: unknown
}

type Response = { value?: unknown } | { unsupported: { version: number; known: boolean } }

/** Serves every version up to `version`: a method that changes must go on to understand the input of the version before. */
export function serveMethods<M extends Methods<M>>(
  bus: Bus,
  prefix: string,
  version: number,
  methods: M,
): AsyncDisposable {
  return bus.serve(prefix, async (payload, context): Promise<Response> => {
    const request = payload as Request
    const known = Object.hasOwn(methods, request.method)
    if (!known || request.version > version) return { unsupported: { version, known } }
    const method = methods[request.method as keyof M] as unknown as Method
    return { value: await method.call(methods, request.input, context) }
  })
}

/** Calls what `serveMethods` serves under `prefix`. `version` is the one that the caller was written for. */
export function client<M extends Methods<M>>(
  bus: Bus,
  prefix: string,
  defaults: { timeoutMs: number; version: number },
): Client<M> {
  return {
    async call(method, input, options = {}) {
      const { deadline, signal, request: facts } = options
      const version = options.version ?? defaults.version
      const timeoutMs = deadline === undefined ? defaults.timeoutMs : deadline - bus.clock.now()
      const request: Request = { method, version, input }
      const response = (await bus.call(prefix, request, {
        timeoutMs,
        ...(signal && { signal }),
        ...(facts && { request: facts }),
      })) as Response
      if ('unsupported' in response) {
        throw new UnsupportedVersion(prefix, method, version, response.unsupported.version, response.unsupported.known)
      }
      return response.value as never
    },
  }
}
