/** Text filters are regular expressions upstream; here those parts of the language that people use, which no pattern can make slow. */
import type { Expression, SqlBool } from 'kysely'
import { sql } from 'kysely'
import type { AnyBuilder } from '#kernel/db/rows.ts'

const backslash = '\\'

/** Something that one character is, and how often it may come. */
interface Part {
  /** Undefined: any character. */
  is: ((character: string) => boolean) | undefined
  /** The one character that it is. */
  literal: string | undefined
  min: 0 | 1
  many: boolean
}

interface Alternative {
  start: boolean
  end: boolean
  parts: Part[]
}

/**
 * The alternatives of a regular expression made of literal text, `.`, `[…]`, `\d`, `\s`, `\w`, `\x`, each with `*`, `+` or `?` after it, of `^`,
 * `$` and `|`. Anything else in it stands for itself. Case does not matter, as with the database that most clouds of upstream's run on.
 */
function parse(pattern: string): Alternative[] {
  return alternatives(pattern.toLowerCase()).map(text => {
    const start = text.startsWith('^')
    const end = /(^|[^\\])(\\\\)*\$$/.test(text)
    return { start, end, parts: partsOf(text.slice(start ? 1 : 0, end ? -1 : undefined)) }
  })
}

const classOf = String.raw`\[\^?(?:\][^\]]*|[^\]]+)\]`
const token = new RegExp(String.raw`(?<one>\\.|${classOf}|.)(?<repeat>[*+?]?)`, 'gsu')

/** Split at each `|` that is neither escaped nor in a class. */
function alternatives(pattern: string): string[] {
  const found = ['']
  for (const [part] of pattern.matchAll(new RegExp(String.raw`\\.|${classOf}|.`, 'gsu'))) {
    if (part === '|') found.push('')
    else found[found.length - 1] += part
  }
  return found
}

function partsOf(text: string): Part[] {
  return [...text.matchAll(token)].map(({ groups }) => {
    const { one, repeat } = groups as { one: string; repeat: string }
    return { ...meaningOf(one), min: repeat === '*' || repeat === '?' ? 0 : 1, many: repeat === '*' || repeat === '+' }
  })
}

const escapes: Record<string, RegExp> = { d: /\d/, s: /\s/, w: /\w/ }

function meaningOf(one: string): Pick<Part, 'is' | 'literal'> {
  if (one === '.') return { is: undefined, literal: undefined }
  if (one.length > 2 && one.startsWith('[')) return { is: inClass(one.slice(1, -1)), literal: undefined }
  const escaped = one.length > 1 && one.startsWith(backslash) ? one.slice(1) : undefined
  const known = escaped !== undefined && Object.hasOwn(escapes, escaped) ? escapes[escaped] : undefined
  if (known) return { is: character => known.test(character), literal: undefined }
  const literal = escaped ?? one
  return { is: character => character === literal, literal }
}

function inClass(text: string): (character: string) => boolean {
  const negated = text.startsWith('^')
  const members = [...text.slice(negated ? 1 : 0).matchAll(/(\\?.)(?:-(\\?.))?/gsu)].map(([, from, to]) => {
    if (to === undefined) return meaningOf(from!).is ?? ((character: string) => character === from)
    const [low, high] = [from!.at(-1)!, to.at(-1)!]
    return (character: string) => low <= character && character <= high
  })
  return character => members.some(is => is(character)) !== negated
}

/** LIKE patterns (with `\` as escape) that match whatever the pattern matches, and perhaps more. */
export function likePatterns(pattern: string): string[] {
  return parse(pattern).map(({ start, end, parts }) => {
    const middle = parts.map(({ literal, min, many }) => {
      if (min === 0) return '%'
      const one = literal === undefined ? '_' : literal.replace(/[%_\\]/g, found => backslash + found)
      return many ? `${one}%` : one
    })
    return `${start ? '' : '%'}${middle.join('')}${end ? '' : '%'}`.replace(/%{2,}/g, '%')
  })
}

export function likeCondition(eb: AnyBuilder, column: string, pattern: string): Expression<SqlBool> {
  return eb.or(
    likePatterns(pattern).map(like => sql<SqlBool>`lower(${eb.ref(column)}) like ${like} escape ${backslash}`),
  )
}

/** Tells of texts that the LIKE patterns let through whether they match; undefined when these say all. */
export function matcher(pattern: string): ((text: string) => boolean) | undefined {
  const all = parse(pattern)
  if (all.every(({ parts }) => parts.every(saidByLike))) return undefined
  return text => all.some(alternative => matches(alternative, [...text.toLowerCase()]))
}

const saidByLike = ({ is, literal, min, many }: Part) =>
  is === undefined ? min === 1 || many : literal !== undefined && min === 1 && !many

/** All places at once where the parts so far may end: the work is parts times characters, whatever the pattern. */
function matches({ start, end, parts }: Alternative, characters: string[]): boolean {
  let ends = new Set(start ? [0] : Array.from({ length: characters.length + 1 }, (_, index) => index))
  for (const part of parts) ends = after(part, ends, characters)
  return end ? ends.has(characters.length) : ends.size > 0
}

function after({ is, min, many }: Part, starts: Set<number>, characters: string[]): Set<number> {
  const ends = new Set(min === 0 ? starts : [])
  const taken = new Set<number>()
  for (let at = 0; at < characters.length; at++) {
    if (!starts.has(at) && !(many && taken.has(at))) continue
    if (is?.(characters[at]!) ?? true) taken.add(at + 1)
  }
  return ends.union(taken)
}
