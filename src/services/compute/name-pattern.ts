/** Text filters are regular expressions upstream; here those parts of the language that people use become LIKE, which no pattern can make slow. */
import type { Expression, SqlBool } from 'kysely'
import { sql } from 'kysely'
import type { AnyBuilder } from '#kernel/db/rows.ts'

const backslash = '\\'

/**
 * The LIKE patterns (with `\` as escape) of a regular expression made of literal text, `.`, `.*`, `.+`, `^`, `$`, `\x` and `|`. Anything
 * else in it stands for itself.
 */
export function likePatterns(pattern: string): string[] {
  return pattern.split('|').map(alternative => {
    const anchoredStart = alternative.startsWith('^')
    const anchoredEnd = alternative.endsWith('$') && !alternative.endsWith('\\$')
    const middle = alternative.slice(anchoredStart ? 1 : 0, anchoredEnd ? -1 : undefined)
    return `${anchoredStart ? '' : '%'}${likeOf(middle)}${anchoredEnd ? '' : '%'}`
  })
}

function likeOf(text: string): string {
  return text.replace(/\\(.)|\.\*|\.\+|\.|[%_\\]/g, (found, escaped: string | undefined) => {
    if (escaped !== undefined) return literal(escaped)
    if (found === '.*') return '%'
    if (found === '.+') return '_%'
    return found === '.' ? '_' : literal(found)
  })
}

const literal = (character: string) => (/[%_\\]/.test(character) ? backslash + character : character)

/** Case does not matter, as with the database that most clouds of upstream's run on. */
export function likeCondition(eb: AnyBuilder, column: string, pattern: string): Expression<SqlBool> {
  return eb.or(
    likePatterns(pattern.toLowerCase()).map(
      like => sql<SqlBool>`lower(${eb.ref(column)}) like ${like} escape ${backslash}`,
    ),
  )
}
