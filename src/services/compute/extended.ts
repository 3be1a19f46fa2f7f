/** The compute service with the extensions that a configuration names: their operations beside its own, their attributes in its schemas of servers. */
import type { Config } from '#kernel/config/load.ts'
import { ConfigError } from '#kernel/config/sources.ts'
import type { Ctx } from '#kernel/context.ts'
import type { Operation } from '#kernel/operation.ts'
import type { TSchema } from '#kernel/schema/builders.ts'
import { schemaAt } from '#kernel/schema/marks.ts'
import type { Service } from '#kernel/service.ts'
import { computeConfig } from './config.ts'
import { noQuery } from './dialect.ts'
import { contextOf } from './extensions/context.ts'
import type { Attribute, Extension, ExtensionOperation } from './extensions/extension.ts'
import { held, type Loaded } from './extensions/extensions.ts'
import { optionalAliases } from './optional-parts.ts'
import { loadServer } from './servers/access.ts'
import type { ServerRow } from './servers/server.ts'
import { extensionAliases } from './versions/extensions.ts'

/** The service itself when there are none. Throws `ConfigError` for a module that is no extension. */
export async function extended(service: Service, config: Config): Promise<Service> {
  const { operations } = service
  const extensions = await loaded(config, operations)
  if (extensions.length === 0) return service
  const attributes = new Map(
    extensions.flatMap(extension =>
      Object.entries(extension.attributes ?? {}).map(([name, attribute]) => [name, { attribute, extension }] as const),
    ),
  )
  const fields = fieldsOf([...attributes].map(([name, { attribute }]) => [name, attribute]))
  const own = operations.map(one => withFields(one, fields))
  const all: Loaded = { extensions, attributes, changes: changesOf(own, fields) }
  const { configured: _, start, ...rest } = service
  return {
    ...rest,
    operations: [...own, ...extensions.flatMap(one => (one.operations ?? []).map(each => operationOf(one, each)))],
    start(env) {
      held(env).loaded = all
      return start?.(env) ?? Promise.resolve(undefined)
    },
  }
}

/** Those that are not turned off. Their loader is read when there are some. */
async function loaded(config: Config, operations: readonly Operation[]): Promise<Extension[]> {
  const { extensions: paths, disabled_parts } = config.of(computeConfig)
  const { loadExtensions } =
    paths.length > 0 ? await import('./extensions/load.ts') : { loadExtensions: async () => [] }
  const all = await loadExtensions(paths, { operations, aliases: extensionAliases })
  const may = [...optionalAliases, ...all.map(one => one.alias)]
  const unknown = disabled_parts.find(alias => !may.includes(alias))
  if (unknown !== undefined)
    throw new ConfigError([`compute.disabled_parts: there is no part ${unknown}; it must be one of: ${may.join(', ')}`])
  return all.filter(({ alias }) => !disabled_parts.includes(alias))
}

/** By what a schema says in `x-attributes`. */
type Fields = Record<string, Record<string, object>>

function fieldsOf(attributes: readonly (readonly [string, Attribute])[]): Fields {
  const orNull = ({ schema }: Attribute) => ({ anyOf: [schema, { type: 'null' }] })
  return {
    taken: Object.fromEntries(
      attributes.filter(([, { read_only }]) => !read_only).map(([name, one]) => [name, orNull(one)]),
    ),
    shown: Object.fromEntries(attributes.map(([name, one]) => [name, orNull(one)])),
  }
}

function withFields(operation: Operation, fields: Fields): Operation {
  const { request, response } = operation
  return {
    ...operation,
    ...(request && { request: filled(request, fields) }),
    ...(response && { response: filled(response, fields) }),
  }
}

/** A copy with the fields wherever the schema asks for some; itself when it does not. */
function filled<T>(schema: T, fields: Fields): T {
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = Object.entries(schema).map(([key, part]) => [key, filled(part, fields)] as const)
  const more = fields[(schema as Record<string, unknown>)['x-attributes'] as string]
  if (!more && parts.every(([key, part]) => part === (schema as Record<string, unknown>)[key])) return schema
  if (Array.isArray(schema)) return parts.map(([, part]) => part) as T
  const copy = Object.fromEntries(parts)
  return (more ? { ...copy, properties: { ...copy.properties, ...more } } : copy) as T
}

/** What a hook may change of a request: any field, in the newest version's shape, and none that must be there. */
function changesOf(operations: readonly Operation[], { shown }: Fields): TSchema {
  const create = operations.find(one => one.id === 'compute.servers.create')!
  type Newest = { properties: { server: { properties: object; required?: unknown } } }
  const { required: _, ...server } = (schemaAt(create.request!, Number.MAX_SAFE_INTEGER) as unknown as Newest)
    .properties.server
  return { ...server, properties: { ...server.properties, ...shown } } as unknown as TSchema
}

function operationOf(extension: Extension, one: ExtensionOperation): Operation {
  const { handle, ...spec } = one
  const ofServer = one.path.includes('{server_id}')
  return {
    ...(one.method === 'GET' && { query: noQuery }),
    ...(spec as Omit<Operation, 'handle'>),
    ...(ofServer && { load: loadServer as unknown as NonNullable<Operation['load']> }),
    async handle(ctx: Ctx, { params, query, body, target, signal }) {
      const server = target as ServerRow | undefined
      return one.handle(contextOf(ctx, extension, signal), {
        ...{ params, query, body },
        ...(server && { server: { ...factsOf(server) } }),
      })
    },
  }
}

const factsOf = ({ id, display_name: name, project_id, user_id }: ServerRow) => ({ id, name, project_id, user_id })
