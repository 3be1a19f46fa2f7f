/** Whether what a module exports is an extension, and one that can be beside the rest of the API. */
import { messageOf } from '#kernel/errors.ts'
import { undeclared } from '#kernel/http/openapi.ts'
import type { Operation } from '#kernel/operation.ts'
import { parseCheck } from '#kernel/policy/parser.ts'
import { type TSchema, Type } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import type { Extension, ExtensionOperation } from './extension.ts'

/** What is there beside it. */
interface Beside {
  operations: readonly (Operation | ExtensionOperation)[]
  aliases: readonly string[]
}

const text = Type.String({ minLength: 1, maxLength: 255 })
const closed = { additionalProperties: false }
const version = Type.Optional(Type.String({ pattern: '^2\\.[1-9][0-9]*$' }))
const schema = Type.Optional(Type.Object({}))

const shape = Type.Object(
  {
    alias: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]{0,62}$' }),
    name: text,
    description: text,
    updated: Type.String({ format: 'date-time' }),
    operations: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ pattern: '^compute\\.[a-z0-9_]+\\.[a-z0-9_]+$' }),
            method: Type.Unsafe<string>({ type: 'string', enum: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] }),
            path: Type.String({ pattern: '^/v2\\.1(/([A-Za-z0-9_.:-]+|\\{[a-z_]+\\}))+$' }),
            action: Type.Optional(text),
            summary: text,
            policy: Type.Object({ name: text, check: Type.String(), description: Type.Optional(text) }, closed),
            query: schema,
            request: schema,
            response: schema,
            status: Type.Optional(Type.Integer({ minimum: 200, maximum: 299 })),
            versions: Type.Optional(Type.Object({ min: version, max: version }, closed)),
            handle: Type.Unknown(),
          },
          closed,
        ),
      ),
    ),
    attributes: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: Type.Object(
            { schema: Type.Object({}), read_only: Type.Optional(Type.Boolean()) },
            closed,
          ),
        },
      ),
    ),
    hooks: Type.Optional(
      Type.Object({ create: Type.Optional(Type.Unknown()), show: Type.Optional(Type.Unknown()) }, closed),
    ),
  },
  closed,
)

/** What is wrong with it, each with its field: `.operations.0.path: …`. */
export function complaintsAbout(value: unknown, beside: Beside): string[] {
  const problem = problemOf(shape, value)
  if (problem) return [`${problem.field && `.${problem.field}`}: ${problem.message}`]
  const extension = value as Extension
  const { alias, operations = [], attributes = {}, hooks = {} } = extension
  return [
    ...(beside.aliases.includes(alias) ? [`.alias: there is an extension ${alias} already`] : []),
    ...operations.flatMap((one, at) =>
      complaintsOf(one, [...beside.operations, ...operations.slice(0, at)]).map(words => `.operations.${at}${words}`),
    ),
    ...Object.entries(attributes).flatMap(([name, attribute]) =>
      [...attributeName(alias, name), ...referring(attribute.schema), ...unreadable(attribute.schema, '.schema')].map(
        words => `.attributes.${name}${words}`,
      ),
    ),
    ...Object.entries(hooks).flatMap(([name, hook]) =>
      hook === undefined || typeof hook === 'function' ? [] : [`.hooks.${name}: it is no function`],
    ),
  ]
}

function attributeName(alias: string, name: string): string[] {
  const [before, after = ''] = [name.slice(0, alias.length + 1), name.slice(alias.length + 1)]
  if (before === `${alias}:` && /^[A-Za-z0-9_-]{1,100}$/.test(after)) return []
  return [`: a name is ${alias}: with letters, digits, - and _ behind it`]
}

function complaintsOf(one: ExtensionOperation, others: Beside['operations']): string[] {
  const twin = others.find(other => other.id === one.id)
  const route = others.find(other => collides(one, other))
  const rule = others.find(({ policy }) => typeof policy === 'object' && policy.name === one.policy.name)
  return [
    ...(typeof one.handle === 'function' ? [] : ['.handle: it is no function']),
    ...(twin ? [`.id: there is an operation ${one.id} already`] : []),
    ...(route ? [`.path: ${one.method} ${one.path} is ${route.id} already`] : []),
    ...(rule && (rule.policy as { check: unknown }).check !== one.policy.check
      ? [`.policy.name: ${one.policy.name} is the rule of ${rule.id}, which has another check`]
      : []),
    ...badCheck(one.policy),
    ...undeclared(one as unknown as Operation).map(
      which => `.${which}: say the schema of its ${which === 'request' ? 'body' : 'answer'}`,
    ),
    ...(['query', 'request', 'response'] as const).flatMap(which => unreadable(one[which], `.${which}`)),
  ]
}

const routeOf = ({ method, path }: { method: string; path: string }) => `${method} ${path.replace(/\{[^}]+\}/g, '{}')}`

/** Operations may share a path when the body's key tells them apart; its parameters are then called the same. */
function collides(one: ExtensionOperation, other: Beside['operations'][number]): boolean {
  if (routeOf(one) !== routeOf(other)) return false
  const together = one.action !== undefined && other.action !== undefined && one.path === other.path
  return !together || one.action === other.action
}

function badCheck({ name, check }: ExtensionOperation['policy']): string[] {
  try {
    parseCheck(name, check)
    return []
  } catch (error) {
    return [`.policy.check: ${messageOf(error)}`]
  }
}

/** It becomes a part of other schemas, several times. */
function referring(one: object): string[] {
  const word = /"\$(id|ref|anchor|dynamicRef)":/.exec(JSON.stringify(one))?.[1]
  return word === undefined ? [] : [`.schema: $${word} cannot be used here: write it out`]
}

/** A schema that cannot be compiled is none. */
function unreadable(one: object | undefined, field: string): string[] {
  try {
    if (one) problemOf(one as TSchema, undefined)
    return []
  } catch (error) {
    return [`${field}: ${messageOf(error)}`]
  }
}
