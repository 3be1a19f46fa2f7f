/** One error class per HTTP meaning. Code throws these; each service's `faults.ts` only shapes the envelope. */

export interface FaultOptions {
  /** The error that led to this one. Logged, never shown to a user. */
  cause?: unknown
  /** Machine-readable name where an API has one (Neutron's `type`, Placement's `code`). */
  type?: string
  /** Headers that the answer carries (Retry-After, WWW-Authenticate …). */
  headers?: Record<string, string>
  /** Extra members for the envelope (Keystone's `identity`, Neutron's `detail` …). */
  extra?: Record<string, unknown>
}

/** An error with an HTTP status and a message fit to be shown to the caller. */
export class Fault extends Error {
  readonly status: number
  readonly title: string
  readonly type: string | undefined
  readonly headers: Record<string, string>
  readonly extra: Record<string, unknown>
  constructor(status: number, title: string, message: string, options: FaultOptions = {}) {
    super(message, { cause: options.cause })
    this.name = new.target.name
    this.status = status
    this.title = title
    this.type = options.type
    this.headers = options.headers ?? {}
    this.extra = options.extra ?? {}
  }
}

export class BadRequest extends Fault {
  constructor(message: string, options?: FaultOptions) {
    super(400, 'Bad Request', message, options)
  }
}

export class Unauthorized extends Fault {
  constructor(message = 'The request you have made requires authentication.', options?: FaultOptions) {
    super(401, 'Unauthorized', message, options)
  }
}

export class Forbidden extends Fault {
  constructor(message = 'You are not authorized to perform the requested action.', options?: FaultOptions) {
    super(403, 'Forbidden', message, options)
  }
}

/** Over a quota. The status differs by service (Nova 403, Cinder and Glance 413, Neutron 409). */
export class OverQuota extends Fault {
  constructor(message: string, options: FaultOptions & { status?: 403 | 409 | 413 } = {}) {
    super(options.status ?? 403, 'Forbidden', message, options)
  }
}

export class NotFound extends Fault {
  constructor(message = 'The resource could not be found.', options?: FaultOptions) {
    super(404, 'Not Found', message, options)
  }
}

export class MethodNotAllowed extends Fault {
  constructor(message = 'The method is not allowed for this resource.', options?: FaultOptions) {
    super(405, 'Method Not Allowed', message, options)
  }
}

export class NotAcceptable extends Fault {
  constructor(message: string, options?: FaultOptions) {
    super(406, 'Not Acceptable', message, options)
  }
}

export class Conflict extends Fault {
  constructor(message: string, options?: FaultOptions) {
    super(409, 'Conflict', message, options)
  }
}

export class Gone extends Fault {
  constructor(message = 'This resource is no longer available.', options?: FaultOptions) {
    super(410, 'Gone', message, options)
  }
}

export class PreconditionFailed extends Fault {
  constructor(message: string, options?: FaultOptions) {
    super(412, 'Precondition Failed', message, options)
  }
}

export class PayloadTooLarge extends Fault {
  constructor(message = 'The request body is too large.', options?: FaultOptions) {
    super(413, 'Request Entity Too Large', message, options)
  }
}

export class UnsupportedMediaType extends Fault {
  constructor(message: string, options?: FaultOptions) {
    super(415, 'Unsupported Media Type', message, options)
  }
}

export class TooManyRequests extends Fault {
  constructor(message: string, retryAfterSeconds: number) {
    super(429, 'Too Many Requests', message, { headers: { 'retry-after': String(retryAfterSeconds) } })
  }
}

export class NotImplemented extends Fault {
  constructor(message: string, options?: FaultOptions) {
    super(501, 'Not Implemented', message, options)
  }
}

export class Unavailable extends Fault {
  constructor(message: string, options?: FaultOptions) {
    super(503, 'Service Unavailable', message, options)
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  // A name with several addresses, none of which answers: Node says nothing but the list.
  if (error instanceof AggregateError && !error.message) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}
