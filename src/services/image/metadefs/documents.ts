/** JSON schemas of metadata definitions, as they are checked and as clients ask for them. */
import type { TSchema } from '#kernel/schema/builders.ts'
import { listDocument } from '../paging.ts'

type Document = Record<string, unknown>

const kinds = ['array', 'boolean', 'integer', 'number', 'object', 'string', null]
const name = { type: 'string', maxLength: 80 }
const times = {
  created_at: { type: 'string', readOnly: true, format: 'date-time', description: 'When it was made.' },
  updated_at: { type: 'string', readOnly: true, format: 'date-time', description: 'When it was last changed.' },
}
const links = { schema: { type: 'string', readOnly: true }, self: { type: 'string', readOnly: true } }

/** What one property may say of itself. */
const property = {
  name,
  title: { type: 'string' },
  description: { type: 'string' },
  operators: { type: 'array', items: { type: 'string' } },
  type: { type: 'string', enum: kinds },
  required: { $ref: '#/definitions/stringArray' },
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  maxLength: { $ref: '#/definitions/positiveInteger' },
  minLength: { $ref: '#/definitions/positiveInteger' },
  pattern: { type: 'string' },
  enum: { type: 'array' },
  readonly: { type: 'boolean' },
  default: {},
  items: { type: 'object', properties: { type: { type: 'string', enum: kinds }, enum: { type: 'array' } } },
  maxItems: { $ref: '#/definitions/positiveInteger' },
  minItems: { $ref: '#/definitions/positiveInteger' },
  uniqueItems: { type: 'boolean' },
  additionalItems: { type: 'boolean' },
}

const plain = {
  positiveInteger: { type: 'integer', minimum: 0 },
  stringArray: { type: 'array', items: { type: 'string' }, uniqueItems: true },
}
const definitions = {
  ...plain,
  property: {
    type: 'object',
    additionalProperties: { type: 'object', required: ['title', 'type'], properties: property },
  },
}

const object = {
  name,
  description: { type: 'string' },
  required: { $ref: '#/definitions/stringArray' },
  properties: { $ref: '#/definitions/property' },
}

const association = {
  name: { ...name, description: 'The kind of resource, as orchestration names it.' },
  prefix: { ...name, description: 'What comes before the names of properties on such a resource, with its separator.' },
  properties_target: { ...name, description: 'Which of the key-value lists of such a resource is meant.' },
}

const document = (title: string, properties: Document, more: Document = {}) => ({
  name: title,
  properties,
  additionalProperties: false,
  ...more,
})

export const namespaceDocument = document(
  'namespace',
  {
    namespace: { ...name, description: 'The unique name.' },
    display_name: { ...name, description: 'A name for people.' },
    description: { type: 'string', maxLength: 500, description: 'What it is about.' },
    visibility: { type: 'string', enum: ['public', 'private'], description: 'Who sees it.' },
    protected: { type: 'boolean', description: 'Whether deletion is refused.' },
    owner: { type: 'string', maxLength: 255, description: 'The project that owns it.' },
    ...times,
    ...links,
    resource_type_associations: { type: 'array', items: { type: 'object', properties: association } },
    properties: { $ref: '#/definitions/property' },
    objects: { type: 'array', items: { type: 'object', required: ['name'], properties: object } },
    tags: { type: 'array', items: { type: 'object', required: ['name'], properties: { name } } },
  },
  { required: ['namespace'], definitions },
)
export const objectDocument = document('object', { ...object, ...links, ...times }, { required: ['name'], definitions })
export const propertyDocument = document('property', property, {
  required: ['type', 'title', 'name'],
  definitions: plain,
})
export const tagDocument = document('tag', { name, ...times }, { required: ['name'] })
export const resourceTypeDocument = document(
  'resource_type_association',
  { ...association, ...times },
  { required: ['name'] },
)

const tag = { type: 'object', properties: { name }, required: ['name'], additionalProperties: false }
const tagList = {
  type: 'object',
  properties: { tags: { type: 'array', maxItems: 1000, items: tag } },
  required: ['tags'],
}

/** The same as schemas to check with. */
export const namespaceSchema = asSchema(namespaceDocument)
export const objectSchema = asSchema(objectDocument)
export const propertySchema = asSchema(propertyDocument)
export const tagSchema = asSchema(tagDocument)
export const tagListSchema = tagList as unknown as TSchema
export const resourceTypeSchema = asSchema(resourceTypeDocument)

function asSchema({ name: _name, ...rest }: Document): TSchema {
  return { type: 'object', ...rest } as unknown as TSchema
}

/** The document of a list, or of an object with items by name, of what another document describes. */
export function collectionOf(title: string, { definitions: shared, ...item }: Document, byName = false): Document {
  const items = byName ? { type: 'object', additionalProperties: item } : { type: 'array', items: item }
  return { ...listDocument(title, items), ...(shared !== undefined && { definitions: shared }) }
}
