/** What the resources of the compute API have in common: links, pages, times, and the forms in which values may be sent. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { type TProperties, type TSchema, Type } from '#kernel/schema/builders.ts'
import { byVersion, type Static } from '#kernel/schema/marks.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import type { Version } from '#kernel/schema/version.ts'
import { computeConfig } from './config.ts'

export interface Link {
  rel: string
  href: string
}

export const linksSchema = Type.Array(Type.Object({ rel: Type.String(), href: Type.String() }))

/** A text of pieces. As a template it would stay in pieces, and `JSON.stringify` takes four times as long for a list of such texts. */
export const joined = (...pieces: string[]): string => pieces.join('')

const today = '/compute/v2.1'
const unversioned = (root: string) => (root === today ? '/compute' : root.replace(/\/v2(\.1)?/, ''))

/** `path` is below the version, such as `flavors/1`. Links repeat the version and the project that the caller's path has; the bookmark has no version. */
export function resourceLinks(ctx: Ctx, path: string): Link[] {
  const root = ctx.root || today
  return [
    { rel: 'self', href: joined(ctx.base, root, '/', path) },
    { rel: 'bookmark', href: joined(ctx.base, unversioned(root), '/', path) },
  ]
}

/** The most items of one answer, and the next page's link when this one is full. */
export function paging(ctx: Ctx, asked: number | undefined) {
  const limit = Math.min(asked ?? Number.MAX_SAFE_INTEGER, ctx.config.of(computeConfig).max_page)
  return {
    limit,
    /** Members to be spread into the answer: `flavors_links`, or nothing. `last` is the marker: the last item's id. */
    links<K extends string>(key: K, url: string, items: number, last: string | undefined): { [P in K]?: Link[] } {
      if (limit === 0 || items < limit || last === undefined) return {}
      const next = new URL(url, ctx.base)
      next.searchParams.set('marker', last)
      return { [key]: [{ rel: 'next', href: next.href }] } as { [P in K]?: Link[] }
    },
  }
}

/** The order of lists that tell what happened. */
export const newestFirst = {
  orderBy: [
    { column: 'created_at' as const, direction: 'desc' as const },
    { column: 'id' as const, direction: 'desc' as const },
  ],
}

/** The row that a page begins after, to be spread into its options. */
export async function afterMarker<Row>(
  marker: string | undefined,
  find: (marker: string) => Promise<Row | undefined>,
): Promise<{ after?: Row }> {
  if (marker === undefined) return {}
  const after = await find(marker)
  if (!after) throw new BadRequest(`Marker ${marker} could not be found.`)
  return { after }
}

export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  marker: Type.Optional(Type.String()),
}

/** A query whose unknown parameters are ignored before `closed`, and refused from then on. */
export function query<P extends TProperties>(properties: P, closed: Version = '2.75') {
  const strict = Type.Object(properties, { additionalProperties: false })
  return byVersion({ '2.1': Type.Object(properties), [closed]: strict }, strict)
}

/** No parameters at all: ignored until 2.101, refused since. */
export const noQuery = query({}, '2.102')

/** A body that is one object and nothing else. */
export function body<K extends string, T extends TSchema>(key: K, schema: T) {
  return Type.Object({ [key]: schema } as { [P in K]: T }, { additionalProperties: false })
}

export const name = Type.String({ minLength: 1, maxLength: 255, format: 'name' })

/** Printable text, new lines included. */
export function description(maxLength: number) {
  return Type.Union([Type.String({ maxLength, pattern: '^[^\\u0000-\\u0008\\u000e-\\u001f\\u007f]*$' }), Type.Null()])
}

export const hostName = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' })

const yes = ['True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes']
const no = ['False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']

/** A boolean, or one of the words that are read as one. */
export const flag = Type.Unsafe<boolean | string>({ type: ['boolean', 'string'], enum: [true, ...yes, false, ...no] })

export function isTrue(value: boolean | string | undefined): boolean {
  return value === true || (typeof value === 'string' && yes.includes(value))
}

/** `yes`, `no` and their like; undefined for any other word. */
export function booleanOf(word: string): boolean | undefined {
  const lower = word.trim().toLowerCase()
  if (['true', 't', '1', 'on', 'yes', 'y'].includes(lower)) return true
  return ['false', 'f', '0', 'off', 'no', 'n'].includes(lower) ? false : undefined
}

const maxInt = 0x7fff_ffff

/** A whole number, as a number or as text of digits. */
export function wholeNumber(minimum: number) {
  return Type.Unsafe<number | string>({ type: ['integer', 'string'], pattern: '^[0-9]+$', minimum, maximum: maxInt })
}

/** The value of a `wholeNumber`; text is checked here, since a schema's bounds hold for numbers only. */
export function integerOf(value: number | string, field: string, minimum: number): number {
  const number = Number(value)
  if (number >= minimum && number <= maxInt) return number
  const bound = number < minimum ? `>= ${minimum}` : `<= ${maxInt}`
  throw new BadRequest(`Invalid input received: ${field} must be ${bound}`)
}

/** The id of a row with this number; what no integer column can hold is nobody's. */
export function numberedRow(text: string): number {
  return /^\d+$/.test(text) && Number(text) <= maxInt ? Number(text) : -1
}

/** The integer that an id in a path is. */
export function integerId(text: string): number {
  if (/^[-+]?\d{1,10}$/.test(text)) return numberedRow(text)
  throw new BadRequest(`Invalid input received: id must be an integer`)
}

const keyPattern = '^[a-zA-Z0-9-_:. ]{1,255}$'

/** A map of short texts by short names. */
export function metadata<T extends TSchema>(value: T) {
  return Type.Unsafe<Record<string, Static<T>>>({
    type: 'object',
    patternProperties: { [keyPattern]: value },
    additionalProperties: false,
  })
}

/** A time as most of Nova's older resources print it: microseconds, without a zone. */
export function naiveTime(iso: string): string {
  return joined(iso.slice(0, 23).replace('Z', ''), '000')
}

export function isAdmin(ctx: Ctx): boolean {
  return ctx.policy.allows('context_is_admin', ctx.identity, {})
}

/** Checks part of a body by a schema that only the handler knows it needs. */
export function check(schema: TSchema, value: unknown): void {
  const problem = problemOf(schema, value)
  if (problem) throw new BadRequest(`Invalid input for field/attribute ${problem.field}. ${problem.message}`)
}
