/** All operations of metadata definitions, as a list for the service. */
import * as namespaces from './namespaces.ts'
import * as objects from './objects.ts'
import * as properties from './properties.ts'
import * as resourceTypes from './resource-types.ts'
import { deleteTags, getResourceType } from './rules.ts'
import { metadefSchemas } from './schemas.ts'
import * as tags from './tags.ts'

export const metadefOperations = [
  ...[namespaces.listNamespaces, namespaces.createNamespace, namespaces.showNamespace, namespaces.updateNamespace],
  ...[
    namespaces.removeNamespace,
    namespaces.removeAllObjects,
    namespaces.removeAllProperties,
    namespaces.removeAllTags,
  ],
  ...[objects.listObjects, objects.createObject, objects.showObject, objects.updateObject, objects.removeObject],
  ...[properties.listProperties, properties.createProperty, properties.showProperty],
  ...[properties.updateProperty, properties.removePropertyOf],
  ...[resourceTypes.listAllResourceTypes, resourceTypes.listAssociations],
  ...[resourceTypes.createAssociation, resourceTypes.removeAssociation],
  ...[tags.listTags, tags.createTags, tags.createTag, tags.showTag, tags.updateTag, tags.removeTag],
  ...metadefSchemas,
]

/** Rules that no operation carries. */
export const metadefRules = [deleteTags, getResourceType]
