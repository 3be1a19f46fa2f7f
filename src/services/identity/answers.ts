/** What answers hold, for those who read the published API: what a client has sent beyond the known attributes is shown besides. */
import { type TSchema, Type } from '#kernel/schema/builders.ts'

export const linksAnswer = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]))

/** Members that are text, or null where there is none. */
export const texts = (...names: readonly string[]): Record<string, TSchema> =>
  Object.fromEntries(names.map(name => [name, Type.Union([Type.String(), Type.Null()])]))

/** Something that has a name. */
export const named = Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) })

const text = Type.String()
const textOrNull = Type.Union([text, Type.Null()])
const described = { description: textOrNull }
const kept = {
  options: Type.Record(text, Type.Unknown()),
  links: linksAnswer,
}
const switched = { enabled: Type.Boolean() }
const tagged = { tags: Type.Array(text) }

/** What is shown of each kind where it stands in lists of another kind's. */
export const domainAnswer = Type.Object({ id: text, name: text, ...described, ...switched, ...tagged, ...kept })
export const projectAnswer = Type.Object({
  ...{ id: text, name: text, domain_id: textOrNull, parent_id: textOrNull, is_domain: Type.Boolean() },
  ...{ ...described, ...switched, ...tagged, ...kept },
})
export const userAnswer = Type.Object({
  ...{
    id: text,
    name: text,
    domain_id: text,
    default_project_id: Type.Optional(text),
    password_expires_at: textOrNull,
  },
  ...{ ...switched, ...kept },
})
export const groupAnswer = Type.Object({ id: text, name: text, domain_id: text, ...described, links: linksAnswer })
export const roleAnswer = Type.Object({ id: text, name: text, domain_id: textOrNull, ...described, ...kept })

export const listOf = (name: string, item: TSchema): TSchema =>
  Type.Object({ [name]: Type.Array(item), links: linksAnswer })

export const oneOf = (name: string, item: TSchema): TSchema => Type.Object({ [name]: item })
