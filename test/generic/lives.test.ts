/** Things that few tests of their own go through whole: each is made, read, listed, changed and removed, by an administrator. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ServerCloud, serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { tiny } from '../../src/services/compute/servers/fixtures/world.ts'
import { addressed, belongings } from '../attacks/belongings.ts'
import { installation } from '../attacks/installation.ts'
import { contentType, extended, headersAt, surface } from '../attacks/surface.ts'

/** An operation, the body that it is sent, and ids that its address has instead of the usual ones. */
type Step = [id: string, body?: object, ids?: Record<string, string>]

async function walk(cloud: ServerCloud, ids: Record<string, string>, steps: Step[]): Promise<void> {
  const token = await cloud.login('admin')
  const refused: Record<string, string> = {}
  for (const [id, body, others] of steps) {
    const one = surface.find(({ operation }) => operation.id === id)
    assert.ok(one, `there is no operation ${id}`)
    const answer = await cloud.request(one.operation.method, addressed(one, { ...ids, ...others }, 'proof'), {
      token,
      headers: { ...headersAt(one), ...(body && contentType(one)) },
      ...(body && { body: JSON.stringify(body) }),
    })
    await cloud.env.sagas.idle()
    // Said on purpose: it is gone, or no driver can.
    if (answer.status >= 400 && answer.status !== 410 && answer.status !== 501)
      refused[id] = `${answer.status} ${JSON.stringify(answer.body)}`.slice(0, 300)
  }
  assert.deepEqual(refused, {})
}

async function stage() {
  const cloud = await serverCloud({ set: extended })
  const owner = await cloud.project('owner')
  return { cloud, ids: await installation(cloud, await belongings(cloud, owner), owner) }
}

const all = (resource: string, verbs: string[], bodies: Record<string, object> = {}): Step[] =>
  verbs.map(verb => [`${resource}.${verb}`, bodies[verb]])

const collections = [
  ...['networks', 'subnets', 'subnetpools', 'ports', 'routers', 'floatingips'],
  ...['security_groups', 'security_group_rules'],
]
const ofTags = ['replace_tags', 'list_tags', 'create_tags', 'add_tag', 'confirm_tag', 'remove_tag', 'delete_tags']

test('tags of everything in the network API, and of projects', async () => {
  const { cloud, ids } = await stage()
  await using _cloud = cloud
  const tags = { replace_tags: { tags: ['a', 'b'] }, create_tags: { tags: ['c'] } }
  const project = ['replace', 'add', 'check', 'delete', 'clear']
  await walk(cloud, ids, [
    ...collections.flatMap(name => all(`network.${name}`, ofTags, tags)),
    ...all('identity.project_tags', project, { replace: { tags: ['a'] } }),
  ])
})

test('grants to users and groups, on projects, domains and the system, inherited or not', async () => {
  const { cloud, ids } = await stage()
  await using _cloud = cloud
  const who = ['user', 'group']
  const kinds = who.flatMap(name => [`project_${name}`, `domain_${name}`, `system_${name}`])
  const inherited = who.flatMap(name => [`project_${name}_inherited`, `domain_${name}_inherited`])
  const verbs = (kind: string) =>
    ['create', 'check', 'list', 'revoke'].filter(verb => verb !== 'list' || !/^project_.*_inherited/.test(kind))
  const steps = [...kinds, ...inherited].flatMap(kind => all(`identity.grants.${kind}`, verbs(kind)))
  await walk(cloud, ids, steps)
})

test('what an administrator of identity keeps', async () => {
  const { cloud, ids } = await stage()
  await using _cloud = cloud
  const change = { description: 'changed' }
  const federated = ['identity_providers', 'mappings', 'service_providers']
  const option = { config: { identity: { driver: 'sql' } } }
  await walk(cloud, ids, [
    ...federated.flatMap(name => all(`identity.${name}`, ['list', 'show'])),
    ['identity.protocols.show'],
    ['identity.service_providers.delete'],
    ...all('identity.groups', ['list', 'show', 'add_user', 'check_user', 'list_users', 'update'], {
      update: { group: change },
    }),
    ['identity.implied_roles.create'],
    ['identity.implied_roles.show'],
    ['identity.implied_roles.list'],
    ['identity.role_inferences.list'],
    ['identity.implied_roles.delete'],
    ...all('identity.roles', ['show', 'update', 'delete'], { update: { role: change } }),
    ...all('identity.policies', ['list', 'show', 'update'], { update: { policy: { blob: '{"a":1}' } } }),
    ...['service', 'region_and_service'].flatMap(kind =>
      all('identity.policy_associations', [`${kind}_create`, `${kind}_check`, `${kind}_delete`]),
    ),
    ['identity.consumers.list'],
    ...all('identity.endpoint_groups', ['list', 'show', 'update'], { update: { endpoint_group: change } }),
    ['identity.project_endpoint_groups.add'],
    ['identity.project_endpoint_groups.show'],
    ['identity.domain_config.put', option],
    ['identity.domain_config.update', option],
    ['identity.domain_config_group.delete'],
    ...all('identity.credentials', ['update', 'delete'], { update: { credential: { blob: 'changed' } } }),
    ...all('identity.endpoints', ['list', 'show', 'update', 'delete'], { update: { endpoint: { name: 'changed' } } }),
    ...all('identity.regions', ['update', 'delete'], { update: { region: change } }),
    ...all('identity.registered_limits', ['show']),
    ...all('identity.limits', ['delete']),
    ...all('identity.registered_limits', ['delete']),
    ...all('identity.services', ['show', 'update', 'delete'], { update: { service: change } }),
    ...all('identity', ['pki.revoked', 'simple_cert.ca', 'simple_cert.certificates']),
    ['identity.domains.list'],
    ['identity.domains.update', { domain: { enabled: false } }],
    ['identity.domains.delete'],
  ])
})

test('what an administrator of hosts and networks sees', async () => {
  const { cloud, ids } = await stage()
  await using _cloud = cloud
  const host = { 'os-hypervisors': 'h1' }
  await walk(cloud, ids, [
    ...all('compute.hypervisors', ['show', 'uptime']),
    ['compute.hypervisors.servers', undefined, host],
    ...all('compute.aggregates', ['list', 'show']),
    ...all('compute.hosts', ['startup', 'shutdown']),
    ['compute.tenant_networks.show', undefined, { 'os-tenant-networks': ids.networks! }],
    ['compute.versions.show_by_id', undefined, { versions: 'v2.1' }],
    ['network.extensions.show', undefined, { extensions: 'router' }],
    ['network.agents.show'],
    ['network.network_ip_availabilities.show', undefined, { 'network-ip-availabilities': ids.networks! }],
    ['network.rbac_policies.show'],
    ['network.subnetpools.update', { subnetpool: { name: 'changed' } }],
    ['placement.inventories.show'],
  ])
})

test('a server, by the old path of servers that boot from volumes', async () => {
  const { cloud, ids } = await stage()
  await using _cloud = cloud
  const body = (id: string, name: string, value: unknown = null): Step => [
    `compute.volumes_boot.${id}`,
    { [name]: value },
  ]
  await walk(cloud, ids, [
    ['compute.volumes_boot.create', { server: { name: 'proof', imageRef: tiny, flavorRef: '42', networks: 'none' } }],
    ['compute.volumes_boot.update', { server: { name: 'changed' } }],
    body('stop', 'os-stop'),
    body('start', 'os-start'),
    body('reboot', 'reboot', { type: 'SOFT' }),
    body('trigger_crash_dump', 'trigger_crash_dump'),
    body('create_image', 'createImage', { name: 'proof' }),
    body('rebuild', 'rebuild', { imageRef: tiny }),
    body('resize', 'resize', { flavorRef: '84' }),
    body('revert_resize', 'revertResize'),
    body('resize', 'resize', { flavorRef: '84' }),
    body('confirm_resize', 'confirmResize'),
    ['compute.removed.resetNetwork', { resetNetwork: null }],
    ['compute.removed.os-getRDPConsole', { 'os-getRDPConsole': { type: 'rdp-html5' } }],
    ['compute.volumes_boot.delete'],
  ])
})
