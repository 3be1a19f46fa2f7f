/** The policy of images: who may do what with them. Named as upstream names them. */
import { admin, rule } from '#kernel/policy/rule.ts'

const visible =
  "project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s"
const member = `${admin} or (role:member and project_id:%(project_id)s)`
const reader = `${admin} or (role:reader and project_id:%(project_id)s)`

export const addImage = rule(
  'add_image',
  `${admin} or (role:member and project_id:%(project_id)s and project_id:%(owner)s)`,
)
export const getImage = rule('get_image', `${admin} or (role:reader and (${visible}))`)
export const getImages = rule('get_images', reader)
export const modifyImage = rule('modify_image', member)
export const deleteImage = rule('delete_image', member)
export const publicizeImage = rule('publicize_image', admin)
export const communitizeImage = rule('communitize_image', member)
export const uploadImage = rule('upload_image', member)
export const downloadImage = rule('download_image', `${admin} or (role:member and (${visible}))`)
export const deactivate = rule('deactivate', member)
export const reactivate = rule('reactivate', member)

const sharedMember = `${admin} or (role:member and project_id:%(member_id)s)`
const readerOrSharedMember = `${admin} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))`

export const addMember = rule('add_member', member)
export const getMember = rule('get_member', readerOrSharedMember)
export const getMembers = rule('get_members', readerOrSharedMember)
export const modifyMember = rule('modify_member', sharedMember)
export const deleteMember = rule('delete_member', member)
export const deleteLocation = rule('delete_image_location', admin)
export const getLocation = rule('get_image_location', reader)
export const setLocation = rule('set_image_location', member)
export const addLocationRule = rule(
  'add_image_location',
  `role:service or ${admin} or (role:member and project_id:%(project_id)s and project_id:%(owner)s)`,
)
export const fetchLocation = rule('fetch_image_location', `role:service or ${admin}`)
export const cacheImage = rule('cache_image', admin)
export const cacheList = rule('cache_list', admin)
export const cacheDelete = rule('cache_delete', admin)
export const cacheClean = rule('cache_clean', admin)
export const cachePrune = rule('cache_prune', admin)
export const listCachedNodes = rule('list_cached_nodes', admin)
export const copyImage = rule('copy_image', admin)
export const tasksApi = rule('tasks_api_access', admin)
export const storesDetail = rule('stores_info_detail', admin)
