/** The options that a user, project, domain or role may have, and the one that keeps it as it is. */
import { Forbidden } from '#kernel/errors.ts'
import { Type } from '#kernel/schema/builders.ts'

type Options = Record<string, unknown>

/** Options with a patch: null takes one away. */
export function patched(old: Options, patch: unknown): Options {
  return Object.fromEntries(Object.entries({ ...old, ...(patch as Options) }).filter(([, value]) => value !== null))
}

const immutable = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))

/** The options of what may be marked immutable. */
export const immutableOption = Type.Object({ immutable }, { additionalProperties: false })

/** Which factors a login must show, and how many; see `demandOf`. */
export const factorOptions = {
  multi_factor_auth_rules: Type.Optional(
    Type.Union([
      Type.Array(Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, uniqueItems: true, maxItems: 8 }), {
        maxItems: 32,
        uniqueItems: true,
      }),
      Type.Null(),
    ]),
  ),
  multi_factor_auth_count: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 8 }), Type.Null()])),
}

export const projectOptions = Type.Object({ immutable, ...factorOptions }, { additionalProperties: false })

/** What is marked immutable is first unmarked, by itself. */
export function checkMutable(type: string, verb: 'update' | 'delete', row: { id: string }, patch?: unknown): void {
  const { options } = row as { options?: Options }
  if (options?.immutable !== true) return
  const unmarks = patch !== undefined && [false, null].includes((patch as Options).immutable as null)
  if (verb === 'update' && unmarks) return
  throw new Forbidden(
    `Unable to ${verb} immutable ${type} resource: \`${row.id}. Set resource option "immutable" to false first.`,
  )
}
