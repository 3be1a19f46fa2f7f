/** Bodies of operations that have no JSON schema: attributes of the network API, and what handlers of the image API check themselves. */
import assert from 'node:assert/strict'
import type { ServerCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { nobody } from '../attacks/surface.ts'

/** They read no body, whatever is sent. */
export const readNone = new Set([
  ...['image.images.deactivate', 'image.images.reactivate', 'image.tags.add', 'image.metadef_tags.create'],
  ...['image.cache.queue', 'image.cache.clean', 'image.cache.prune'],
])

const tagged = [
  ...['networks', 'subnets', 'subnetpools', 'ports', 'routers', 'floatingips'],
  ...['security_groups', 'security_group_rules'],
]

const each = (verb: string, body: object) => tagged.map(name => [`network.${name}.${verb}`, body] as const)

/** A body that each takes, beside those of `wholeBodies`. */
export function checkedBodies(ids: Record<string, string>): Record<string, unknown> {
  const about = { description: 'd', type: 'string', title: 't' }
  const property = { ...about, enum: ['a'], default: 'a', readonly: false, minLength: 1, maxLength: 9, pattern: '^a$' }
  const namespace = {
    namespace: 'another',
    display_name: 'd',
    description: 'd',
    visibility: 'private',
    protected: false,
    properties: { p: property },
    objects: [{ name: 'o', description: 'd', required: ['p'], properties: { p: property } }],
    tags: [{ name: 't' }],
    resource_type_associations: [{ name: 'OS::Nova::Flavor', prefix: 'a:', properties_target: 'image' }],
  }
  const { properties, objects, tags, resource_type_associations, ...plainNamespace } = namespace
  return {
    ...Object.fromEntries([...each('replace_tags', { tags: ['a'] }), ...each('create_tags', { tags: ['a'] })]),
    'network.subnetpools.update': {
      subnetpool: { name: 'p', description: 'd', default_prefixlen: 26, min_prefixlen: 20, max_prefixlen: 28 },
    },
    'network.subnetpools.add_prefixes': { prefixes: ['10.65.0.0/16'] },
    'network.subnetpools.remove_prefixes': { prefixes: ['10.65.0.0/16'] },
    'network.floatingips.create': {
      floatingip: {
        floating_network_id: nobody,
        port_id: ids.ports,
        fixed_ip_address: '10.9.0.7',
        floating_ip_address: '198.51.100.77',
        description: 'd',
      },
    },
    'network.floatingips.update': {
      floatingip: { port_id: ids.ports, fixed_ip_address: '10.9.0.7', description: 'd' },
    },
    'network.rbac_policies.update': { rbac_policy: { target_tenant: 'e'.repeat(32) } },
    'network.routers.remove_extraroutes': {
      router: { routes: [{ destination: '10.3.0.0/24', nexthop: '10.9.0.3' }] },
    },
    'network.agents.update': { agent: { admin_state_up: true, description: 'd' } },
    'image.images.update': [{ op: 'replace', path: '/name', value: 'n' }],
    'image.images.import': {
      method: { name: 'web-download', uri: 'http://localhost:9/' },
      stores: ['file'],
      all_stores: false,
      all_stores_must_succeed: true,
    },
    'image.members.create': { member: 'e'.repeat(32) },
    'image.members.update': { status: 'accepted' },
    'image.locations.add': { url: 'http://localhost:9/', validation_data: { os_hash_algo: 'sha512' } },
    'image.tasks.create': {
      type: 'import',
      input: {
        import_from: 'http://localhost:9/',
        import_from_format: 'raw',
        image_properties: { name: 'n', disk_format: 'raw', container_format: 'bare' },
      },
    },
    'image.metadef_namespaces.create': namespace,
    'image.metadef_namespaces.update': { ...plainNamespace, namespace: 'proof' },
    'image.metadef_objects.create': { ...objects[0], name: 'another' },
    'image.metadef_objects.update': objects[0],
    'image.metadef_properties.create': { ...property, name: 'another' },
    'image.metadef_properties.update': { ...property, name: 'p' },
    'image.metadef_associations.create': resource_type_associations[0],
    'image.metadef_tags.create_many': { tags: [{ name: 'another' }] },
    'image.metadef_tags.update': { name: ids.tags },
  }
}

/** What the bodies are about, beyond an installation: metadata definitions. */
export async function metadataThings(cloud: ServerCloud, ids: Record<string, string>) {
  const token = await cloud.login('admin')
  const post = async (path: string, body?: object) => {
    const answer = await cloud.request('POST', `/image/v2/${path}`, { token, ...(body && { body }) })
    assert.equal(answer.status < 300, true, `${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const namespace = 'metadefs/namespaces'
  await post(namespace, { namespace: 'proof' })
  const property = { name: 'p', title: 't', type: 'string' }
  await post(`${namespace}/proof/properties`, property)
  await post(`${namespace}/proof/objects`, { name: 'o' })
  await post(`${namespace}/proof/tags/${ids.tags}`)
  return { ...ids, namespaces: 'proof', properties: 'p', objects: 'o' }
}
