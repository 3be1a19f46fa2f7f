/** The bus: calls to whoever serves a subject, and hints to whoever listens. It carries no state: a message may be lost. */
import type { Clock } from '../clock.ts'
import type { RequestFacts } from '../request-facts.ts'

export interface CallContext {
  /** The API request that led here, for logs. */
  request: RequestFacts | undefined
  /** Aborts when the caller no longer waits, or the bus closes. */
  signal: AbortSignal
}

/** Answers a call. What it throws reaches the caller: a `Fault` as itself, anything else as a `RemoteError`. */
export type Handler = (payload: unknown, context: CallContext) => unknown

export type Listener = (payload: unknown, subject: string) => unknown

export interface CallOptions {
  timeoutMs: number
  signal?: AbortSignal
  /** A context will do: only its facts go along. */
  request?: RequestFacts
}

/**
 * Subjects are words joined by dots. Payloads are what JSON can say, at most 8 MB; both sides have their own copy.
 */
export interface Bus extends AsyncDisposable {
  /** What timeouts and deadlines are measured on. */
  readonly clock: Clock
  /** Where several serve a subject, one of them gets a call. Disposing takes no new calls and waits for the running ones. */
  serve(subject: string, handler: Handler): AsyncDisposable
  /**
   * Throws `NoResponder` at once when nobody serves the subject, `CallTimeout`, or the handler's error. Between machines a call is sent again
   * until its answer is there: whoever takes the place of a process that died at it does it anew.
   */
  call(subject: string, payload: unknown, options: CallOptions): Promise<unknown>
  publish(subject: string, payload: unknown): void
  /** `*` stands for one word, a last `>` for one or more. */
  subscribe(pattern: string, listener: Listener): AsyncDisposable
  /** Resolves when what was served, subscribed and published so far is known to the bus. */
  flush(): Promise<void>
}

export const maxPayloadBytes = 8 * 1024 * 1024

/** Nobody serves the subject now. */
export class NoResponder extends Error {
  readonly subject: string
  constructor(subject: string) {
    super(`Nobody answers on ${subject}: is its process running and connected?`)
    this.name = 'NoResponder'
    this.subject = subject
  }
}

/** No answer in time. Whether the work was done is not known. */
export class CallTimeout extends Error {
  readonly subject: string
  constructor(subject: string, timeoutMs: number) {
    super(`No answer on ${subject} within ${Math.round(timeoutMs)} ms.`)
    this.name = 'CallTimeout'
    this.subject = subject
  }
}

/** What a handler threw, when it was no `Fault`: its name and message, without its stack. */
export class RemoteError extends Error {
  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

export class OversizedPayload extends Error {
  constructor(bytes: number, limit: number = maxPayloadBytes) {
    super(`A message of ${bytes} bytes is over the limit of ${limit}: send it by another way.`)
    this.name = 'OversizedPayload'
  }
}

export class BusClosed extends Error {
  constructor() {
    super('The bus is closed.')
    this.name = 'BusClosed'
  }
}

/** One word of a subject out of any text: a host's name may hold dots. */
export function subjectWord(text: string): string {
  if (text === '') throw new Error('A word of a subject must not be empty.')
  return encodeURIComponent(text).replaceAll('.', '%2E').replaceAll('*', '%2A')
}

export function checkSubject(subject: string): void {
  if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject)) {
    throw new Error(`"${subject}" is no subject: it must be words joined by dots, without * and >.`)
  }
}

/** Whether a subject fits a pattern. Throws for a malformed pattern. */
export function matcher(pattern: string): (subject: string) => boolean {
  if (!/^([^\s.*>]+|\*)(\.([^\s.*>]+|\*))*(\.>)?$|^>$/.test(pattern)) {
    throw new Error(`"${pattern}" is no pattern: * must be a whole word and > the last one.`)
  }
  const words = pattern.split('.')
  const open = words.at(-1) === '>'
  if (open) words.pop()
  return subject => {
    const given = subject.split('.')
    if (open ? given.length <= words.length : given.length !== words.length) return false
    return words.every((word, index) => word === '*' || word === given[index])
  }
}
