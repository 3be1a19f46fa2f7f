/** What answers hold, for those who read the published API: what a client has sent beyond the known attributes is shown besides. */
import { type TSchema, Type } from '#kernel/schema/builders.ts'

export const linksAnswer = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]))

/** Members that are text, or null where there is none. */
export const texts = (...names: readonly string[]): Record<string, TSchema> =>
  Object.fromEntries(names.map(name => [name, Type.Union([Type.String(), Type.Null()])]))

/** Something that has a name. */
export const named = Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) })

export const listOf = (name: string, item: TSchema = named): TSchema =>
  Type.Object({ [name]: Type.Array(item), links: linksAnswer })

export const oneOf = (name: string, item: TSchema = named): TSchema => Type.Object({ [name]: item })
