/** Changes of an image as JSON-patch, in the two dialects that Glance takes. Pure: a body in, changes out. */
import { BadRequest, Forbidden } from '#kernel/errors.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { readOnly, reserved } from './attributes.ts'
import { type ImageSchema, schemaOf } from './properties.ts'

export const patchTypes = {
  old: 'application/openstack-images-v2.0-json-patch',
  new: 'application/openstack-images-v2.1-json-patch',
}

/** How many names a path has; elsewhere it is one. */
const depths: Record<string, Record<string, number>> = { locations: { add: 2, remove: 2, replace: 1 } }

export interface Change {
  op: 'add' | 'replace' | 'remove'
  name: string
  value: unknown
  /** In a list. */
  position?: string
}

const operations = ['add', 'remove', 'replace'] as const

/** Throws 400 for what is malformed and 403 for attributes that nobody sets. */
export function parsePatch(body: unknown, dialect: 'old' | 'new', schema: ImageSchema): Change[] {
  if (!Array.isArray(body)) throw new BadRequest('Request body must be a JSON array of operation objects.')
  return body.map(item => {
    if (typeof item !== 'object' || item === null || Array.isArray(item))
      throw new BadRequest('Operations must be JSON objects.')
    return changeOf(item as Record<string, unknown>, dialect, schema)
  })
}

function changeOf(item: Record<string, unknown>, dialect: 'old' | 'new', schema: ImageSchema): Change {
  const op = dialect === 'new' ? opOf(item) : oldOpOf(item)
  const pointer = dialect === 'new' ? item.path : item[op]
  if (typeof pointer !== 'string') throw new BadRequest("Unable to find 'path' in JSON Schema change")
  const path = decoded(pointer)
  const name = path[0]!
  if (readOnly.has(name)) throw new Forbidden(`Attribute '${name}' is read-only.`)
  if (reserved(name)) throw new Forbidden(`Attribute '${name}' is reserved.`)
  if (path.length !== (depths[name]?.[op] ?? 1))
    throw new BadRequest(`Invalid JSON pointer for this resource: '/${path.join('/')}'`)
  const position = path[1]
  const place = position === undefined ? {} : { position }
  if (op === 'remove') return { op, name, value: undefined, ...place }
  if (!('value' in item)) throw new BadRequest(`Operation "${op}" requires a member named "value".`)
  checkValue(schema, name, name === 'locations' && op === 'add' ? [item.value] : item.value)
  return { op, name, value: item.value, ...place }
}

function opOf({ op }: Record<string, unknown>): Change['op'] {
  const known = `It must be one of the following: ${operations.join(', ')}.`
  if (op === undefined) throw new BadRequest(`Unable to find \`op\` in JSON Schema change. ${known}`)
  const found = operations.find(name => name === op)
  if (!found) throw new BadRequest(`Invalid operation: \`${String(op)}\`. ${known}`)
  return found
}

function oldOpOf(item: Record<string, unknown>): Change['op'] {
  const found = operations.filter(name => name in item)
  if (found.length > 1)
    throw new BadRequest('Operation objects must contain only one member named "add", "remove", or "replace".')
  if (found.length === 0)
    throw new BadRequest('Operation objects must contain exactly one member named "add", "remove", or "replace".')
  return found[0]!
}

function decoded(pointer: string): string[] {
  if (!pointer.startsWith('/')) throw new BadRequest(`Pointer \`${pointer}\` does not start with "/".`)
  const parts = pointer.slice(1).split('/')
  if (parts.slice(0, -1).some(part => part.trim() === ''))
    throw new BadRequest(`Pointer \`${pointer}\` contains adjacent "/".`)
  if (pointer.length > 1 && pointer.endsWith('/')) throw new BadRequest(`Pointer \`${pointer}\` end with "/".`)
  if (pointer.slice(1).trim() === '') throw new BadRequest(`Pointer \`${pointer}\` does not contains valid token.`)
  if (/~([^01]|$)/.test(pointer))
    throw new BadRequest(`Pointer \`${pointer}\` contains "~" not part of a recognized escape sequence.`)
  return parts.map(part => part.replaceAll('~1', '/').replaceAll('~0', '~').trim())
}

function checkValue(schema: ImageSchema, name: string, value: unknown): void {
  const expected = schemaOf(schema, name)
  if (!expected) throw new BadRequest(`Provided object does not match schema 'image': there may be no property ${name}`)
  const problem = problemOf(expected, value)
  if (problem)
    throw new BadRequest(`Provided object does not match schema 'image': ${problem.message} for property ${name}`)
}
