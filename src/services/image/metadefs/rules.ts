/** The policy of metadata definitions, named as upstream names them. Targets are namespaces. */
import { admin, rule } from '#kernel/policy/rule.ts'

const seen = `${admin} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))`

export const getNamespace = rule('get_metadef_namespace', seen)
export const getNamespaces = rule('get_metadef_namespaces', `${admin} or (role:reader and project_id:%(project_id)s)`)
export const addNamespace = rule('add_metadef_namespace', admin)
export const modifyNamespace = rule('modify_metadef_namespace', admin)
export const deleteNamespace = rule('delete_metadef_namespace', admin)

export const getObject = rule('get_metadef_object', seen)
export const getObjects = rule('get_metadef_objects', seen)
export const addObject = rule('add_metadef_object', admin)
export const modifyObject = rule('modify_metadef_object', admin)
export const deleteObject = rule('delete_metadef_object', admin)

export const getProperty = rule('get_metadef_property', seen)
export const getProperties = rule('get_metadef_properties', seen)
export const addProperty = rule('add_metadef_property', admin)
export const modifyProperty = rule('modify_metadef_property', admin)
export const removeProperty = rule('remove_metadef_property', admin)

export const getTag = rule('get_metadef_tag', seen)
export const getTags = rule('get_metadef_tags', seen)
export const addTag = rule('add_metadef_tag', admin)
export const addTags = rule('add_metadef_tags', admin)
export const modifyTag = rule('modify_metadef_tag', admin)
export const deleteTag = rule('delete_metadef_tag', admin)
export const deleteTags = rule('delete_metadef_tags', admin)

export const listResourceTypes = rule('list_metadef_resource_types', seen)
export const getResourceType = rule('get_metadef_resource_type', seen)
export const addResourceType = rule('add_metadef_resource_type_association', admin)
export const removeResourceType = rule('remove_metadef_resource_type_association', admin)
