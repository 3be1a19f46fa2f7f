/** The extensions that a cloud has loaded, and what servers ask of them. */
import { perCloud } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import type { TSchema } from '#kernel/schema/builders.ts'
import type { Attribute, Extension } from './extension.ts'

export interface Loaded {
  readonly extensions: readonly Extension[]
  /** All of them by name, each with the extension that has it. */
  readonly attributes: ReadonlyMap<string, { attribute: Attribute; extension: Extension }>
  /** What hooks may change in a request to create servers. */
  readonly changes: TSchema
}

/** What there is without any. */
export const nothing: Loaded = { extensions: [], attributes: new Map(), changes: {} }

export const held = perCloud<{ loaded: Loaded }>(() => ({ loaded: nothing }))

/** Characters of JSON that are kept of a value: as many as of a server's user data. */
const mostKept = 65_535

/** Throws for a value that is too long: a schema of the author's may bound nothing. */
export function requireKeepable(name: string, value: unknown): void {
  if (JSON.stringify(value).length > mostKept)
    throw new BadRequest(
      `Invalid input for field/attribute ${name}. A value has at most ${mostKept} characters of JSON.`,
    )
}

/** Options of schemas of servers, to which extensions add their attributes: of what requests carry, and of what is shown. */
export const takesAttributes = { 'x-attributes': 'taken' }
export const showsAttributes = { 'x-attributes': 'shown' }
