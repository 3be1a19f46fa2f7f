/** Structured logs (pino). Secrets are redacted by name before they are written. */
import { type Logger, pino } from 'pino'
import { type FactColumns, factColumns, type RequestFacts } from './request-facts.ts'

export type Log = Logger

export interface LogOptions {
  level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** File descriptor or path to write to; standard error by default. */
  destination?: string | number
}

const secretKeys = ['password', 'adminPass', 'admin_pass', 'secret', 'token', 'user_data', 'blob', 'private_key']
const secretHeaders = ['x-auth-token', 'x-subject-token', 'authorization', 'cookie', 'set-cookie']

/** Paths that pino redacts: each secret at the top level, one and two levels down, and in headers. */
const redact = [
  ...secretKeys.flatMap(key => [key, `*.${key}`, `*.*.${key}`]),
  ...secretHeaders.flatMap(name => [`headers["${name}"]`, `req.headers["${name}"]`]),
]

/** Bytes of lines that wait for a disk which takes none; what comes then is lost. */
const longestWait = 16 * 1024 * 1024

export function createLog(options: LogOptions = {}): Log {
  const destination = pino.destination({ dest: options.destination ?? 2, sync: false, maxLength: longestWait })
  // A full disk would end the process otherwise. The lines wait, and are written with the next one that can be.
  let full = false
  destination.on('error', () => {
    full = true
  })
  destination.on('write', () => {
    full = false
  })
  // Called at the exit, it tries for as long as it takes.
  const flush = destination.flushSync.bind(destination)
  destination.flushSync = () => {
    if (!full) flush()
  }
  return pino({ level: options.level ?? 'info', base: null, redact: { paths: redact, censor: '***' } }, destination)
}

/** The facts of a request as lines of the log name them: those that there are. */
export const loggedFacts = (facts: RequestFacts): Partial<FactColumns> =>
  Object.fromEntries(Object.entries(factColumns(facts)).filter(([, value]) => value !== null))

/** A log that writes nothing, for tests. */
export function silentLog(): Log {
  return pino({ level: 'silent' })
}
