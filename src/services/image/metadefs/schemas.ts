/** The schemas of metadata definitions, as clients ask for them. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import {
  collectionOf,
  namespaceDocument,
  objectDocument,
  propertyDocument,
  resourceTypeDocument,
  tagDocument,
} from './documents.ts'

const propertyWithoutName = { ...propertyDocument, required: ['type', 'title'] }

const documents: [string, Record<string, unknown>][] = [
  ['namespace', namespaceDocument],
  ['namespaces', collectionOf('namespaces', namespaceDocument)],
  ['object', objectDocument],
  ['objects', collectionOf('objects', objectDocument)],
  ['property', propertyDocument],
  ['properties', collectionOf('properties', propertyWithoutName, true)],
  ['tag', tagDocument],
  ['tags', collectionOf('tags', tagDocument)],
  ['resource_type', resourceTypeDocument],
  ['resource_types', collectionOf('resource_type_associations', resourceTypeDocument)],
]

export const metadefSchemas = documents.map(([name, document]) =>
  operation({
    id: `image.schemas.metadef_${name}`,
    method: 'GET',
    path: `/v2/schemas/metadefs/${name}`,
    summary: `Show the schema of metadata definitions: ${name.replace('_', ' ')}`,
    policy: 'authenticated',
    response: Type.Object({ name: Type.String(), properties: Type.Unknown() }),
    handle: async () => document as never,
  }),
)
