/** Rate limits: how many requests of a kind a user may make in a span of time, as the configuration says. */
import { type Env, perCloud } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'

const units = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const
export type Unit = keyof typeof units

export interface RateLimit {
  /** As it is configured; what is counted is kept under it. */
  text: string
  verb: string
  /** Of paths below the version; `*` stands for any text. */
  uri: string
  regex: string
  value: number
  unit: Unit
  /** How long one request counts. */
  costMs: number
  /** How much time requests may have used up in advance. */
  spanMs: number
}

const form = /^(\*|GET|POST|PUT|DELETE) (\*|\/\S*) ([1-9]\d{0,8}) (second|minute|hour|day)$/

function parsed(text: string): RateLimit {
  const [, verb, uri, count, unit] = form.exec(text) ?? []
  if (!verb || !uri)
    throw new Error(`compute.rate_limits: ${JSON.stringify(text)} is not like "POST /servers* 10 minute"`)
  const spanMs = units[unit as Unit] * 1000
  const regex = uri === '*' ? '.*' : `^${uri.split('*').map(escaped).join('.*')}$`
  const value = Number(count)
  return { text, verb, uri, regex, value, unit: unit as Unit, costMs: spanMs / value, spanMs }
}

const escaped = (text: string) => text.replace(/[^\w/-]/g, c => `\\${c}`)

/** Those of the configuration. */
export const rateLimits: (env: Env) => readonly RateLimit[] = perCloud(env =>
  env.config.of(computeConfig).rate_limits.map(parsed),
)

/** Without expressions: patterns of the configuration may be matched against whatever users send. */
export function isAbout({ verb, uri }: RateLimit, method: string, path: string): boolean {
  if (verb !== '*' && verb !== method) return false
  const parts = uri.split('*')
  let at = parts[0]!.length
  if (!path.startsWith(parts[0]!)) return false
  if (parts.length === 1) return path === uri
  for (const part of parts.slice(1, -1)) {
    const found = path.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  const last = parts.at(-1)!
  return path.length - last.length >= at && path.endsWith(last)
}
