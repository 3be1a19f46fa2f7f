/** What queries of the event API have in common: the types that are asked for, and a place in the log. */
import { BadRequest } from '#kernel/errors.ts'
import { type Position, positionOf } from '#kernel/events/events.ts'
import { Type } from '#kernel/schema/builders.ts'

/** `compute.instance.*,aggregate.create.end` */
export const typesText = Type.String({
  maxLength: 2048,
  pattern: '^([A-Za-z0-9_.-]+\\*?|\\*)(,([A-Za-z0-9_.-]+\\*?|\\*))*$',
})

export const typesOf = (text: string | undefined): string[] => {
  const types = text?.split(',') ?? []
  return types.includes('*') ? [] : types
}

/** Throws for what is no place in the log. */
export function placeOf(text: string | undefined): Position | undefined {
  if (text === undefined) return undefined
  const place = positionOf(text)
  if (!place) throw new BadRequest(`"${text}" is no place in the log: use one that an answer has named.`)
  return place
}
