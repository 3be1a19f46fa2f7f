/** Lists in Keystone's dialect: filters by attribute, inexact filters by suffix, links. */
import type { Ctx } from '#kernel/context.ts'

type Query = Record<string, string | string[] | undefined>

/** The links of a list. */
export function collectionOf(ctx: Ctx, url: string) {
  return { next: null, self: `${ctx.base}${url}`, previous: null }
}

/** `links.self` of one. */
export function linkTo(ctx: Ctx, path: string): { self: string } {
  return { self: `${ctx.base}/identity/v3/${path}` }
}

const comparisons: Record<string, (value: string, wanted: string) => boolean> = {
  contains: (value, wanted) => value.includes(wanted),
  icontains: (value, wanted) => value.toLowerCase().includes(wanted.toLowerCase()),
  startswith: (value, wanted) => value.startsWith(wanted),
  istartswith: (value, wanted) => value.toLowerCase().startsWith(wanted.toLowerCase()),
  endswith: (value, wanted) => value.endsWith(wanted),
  iendswith: (value, wanted) => value.toLowerCase().endsWith(wanted.toLowerCase()),
}

/** A truth value as Keystone reads it from a query: only `0` and words for no are no. */
export function isYes(text: string): boolean {
  return !/^(0|false|f|no|n|off)$/i.test(text)
}

export const first = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value

/** The filters of a query that are equalities of text columns: for SQL. */
export function equals(query: unknown, columns: readonly string[]): Record<string, string> {
  const asked = query as Query
  return Object.fromEntries(
    columns.flatMap(column => {
      const value = first(asked[column])
      return value === undefined ? [] : [[column, value]]
    }),
  )
}

/** The inexact filters (`name__contains=x`) on rows that are already here. */
export function inexact<Row extends object>(query: unknown, list: Row[], columns: readonly string[]): Row[] {
  let kept = list
  for (const [key, value] of Object.entries(query as Query)) {
    const [, column, comparison] = /^(\w+?)__(\w+)$/.exec(key) ?? []
    const holds = comparisons[comparison ?? '']
    if (!column || !holds || !columns.includes(column)) continue
    kept = kept.filter(row => holds(String((row as Record<string, unknown>)[column] ?? ''), first(value) ?? ''))
  }
  return kept
}
