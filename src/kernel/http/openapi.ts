/** A service's API as an OpenAPI 3.1 document, at one of its versions: made from the operations themselves. */
import { inVersion, type Operation } from '../operation.ts'
import { schemaAt } from '../schema/marks.ts'
import { ordinal, type Version } from '../schema/version.ts'
import type { Service } from '../service.ts'

type Json = Record<string, unknown>

/** Bodies that are not JSON have no schema. */
const isStream = (operation: Operation) => operation.raw === true
const changes = ['POST', 'PUT', 'PATCH']

/** Which schemas an operation should have and has not. With status 204 it neither takes nor gives a body, from 400 on it only refuses. */
export function undeclared(operation: Operation): ('request' | 'response')[] {
  const { method, request, takes, response, answers, status = 200 } = operation
  if (status === 204 || status >= 400 || isStream(operation)) return []
  if (changes.includes(method) && !request && !takes) return ['request']
  return method === 'GET' && !response && !answers ? ['response'] : []
}

/** `version`: the newest by default. */
export function openapi(service: Service, version?: Version): Json {
  const at = service.microversions ? ordinal(version ?? service.microversions.max) : Number.MAX_SAFE_INTEGER
  const paths: Record<string, Record<string, Json>> = {}
  const present = service.operations.filter(one => inVersion(one, at))
  for (const [route, sharing] of Map.groupBy(present, one => `${one.method} ${one.path}`)) {
    const { method, path } = sharing[0]!
    const written = path.replace('*}', '}')
    paths[written] ??= {}
    paths[written][method.toLowerCase()] =
      sharing.length === 1 ? described(sharing[0]!, at) : together(route, sharing, at)
  }
  return {
    openapi: '3.1.0',
    info: { title: `${service.type} (${service.name})`, version: version ?? service.microversions?.max ?? '1' },
    servers: [{ url: service.path }],
    paths,
    components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
  }
}

function described(operation: Operation, at: number): Json {
  const { id, summary, policy, outdated = {}, status, response, answers } = operation
  const answered = String(status ?? (response || answers || isStream(operation) ? 200 : 204))
  const body = bodyOf(operation)
  const content = response ? jsonOf(response, at) : answers ? { [answers]: {} } : undefined
  const names = Object.entries(outdated).filter(([input]) => input !== '*')
  return {
    operationId: id,
    summary,
    ...(outdated['*'] && { deprecated: true, description: `Use ${outdated['*']}.` }),
    ...(names.length > 0 && { 'x-deprecated-inputs': Object.fromEntries(names) }),
    ...(policy !== 'public' && { security: [{ token: [] }] }),
    parameters: parameters(operation, at),
    ...(body && { requestBody: { required: true, content: jsonOf(body, at, operation.accepts) } }),
    responses: { [answered]: { description: summary, ...(content && { content }) } },
  }
}

const bodyOf = ({ takes, request }: Operation) => (takes === 'nothing' ? undefined : (takes ?? request))

/** Operations that share a route are chosen by the key of the body. */
function together(route: string, sharing: readonly Operation[], at: number): Json {
  const each = sharing.map(one => described(one, at))
  const bodies = sharing.flatMap(one => bodyOf(one) ?? []).map(body => schemaAt(body, at))
  return {
    operationId: `${sharing[0]!.id.split('.').slice(0, 2).join('.')}.action`,
    summary: `${route}: one of ${sharing.map(({ action, id }) => action ?? id).join(', ')}`,
    security: [{ token: [] }],
    parameters: each[0]!.parameters,
    requestBody: { required: true, content: { 'application/json': { schema: { oneOf: bodies } } } },
    responses: Object.assign({}, ...each.map(one => one.responses as Json)),
    'x-operations': each.map(({ operationId, summary, deprecated, responses }) => ({
      operationId,
      summary,
      deprecated,
      responses,
    })),
  }
}

const jsonOf = (schema: NonNullable<Operation['request']>, at: number, types = ['application/json']): Json =>
  Object.fromEntries(types.map(type => [type, { schema: schemaAt(schema, at) }]))

function parameters({ path, query }: Operation, at: number): Json[] {
  const inPath = [...path.matchAll(/\{([^}*]+)\*?\}/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }))
  const shape = query ? (schemaAt(query, at) as { properties?: Record<string, unknown>; required?: string[] }) : {}
  const inQuery = Object.entries(shape.properties ?? {}).map(([name, schema]) => ({
    ...{ name, in: 'query', required: shape.required?.includes(name) ?? false },
    schema,
  }))
  return [...inPath, ...inQuery]
}
