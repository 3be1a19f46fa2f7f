/** What a project has, as a target: its ids by kind, addresses made of them, and all of it as the owner sees it. */
import assert from 'node:assert/strict'
import type { ServerCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import type { TestProject } from '../harness.ts'
import { headersAt, nobody, type Reachable, surface } from './surface.ts'

export const secret = 'hands-off'

/** What a project has, by the word that stands before its id in paths. */
export async function belongings(cloud: ServerCloud, owner: TestProject): Promise<Record<string, string>> {
  // biome-ignore lint/suspicious/noExplicitAny: many kinds of answers
  const make = async (url: string, body: object, token = owner.token): Promise<any> => {
    const headers = { 'openstack-api-version': 'compute 2.90' }
    const answer = await cloud.request('POST', url, { token, body, headers })
    assert.ok(answer.status < 300, `${url}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const network = async (collection: string, member: string, values: object): Promise<string> =>
    (await make(`/network/v2.0/${collection}`, { [member]: values }))[member].id
  const admin = await cloud.login('admin')
  const external = { network: { name: 'outside', 'router:external': true } }
  const outside = (await make('/network/v2.0/networks', external, admin)).network.id
  const public_subnet = { network_id: outside, ip_version: 4, cidr: '198.51.100.0/24' }
  await make('/network/v2.0/subnets', { subnet: public_subnet }, admin)
  const network_id = await network('networks', 'network', { name: secret })
  const subnet = await network('subnets', 'subnet', { network_id, cidr: '10.9.0.0/24', ip_version: 4, name: secret })
  const port = await network('ports', 'port', { network_id, name: secret })
  const router = await network('routers', 'router', { name: secret })
  const group = await network('security-groups', 'security_group', { name: secret })
  const rule = { security_group_id: group, direction: 'ingress', protocol: 'tcp', remote_ip_prefix: '10.9.0.0/16' }
  const groupRule = await network('security-group-rules', 'security_group_rule', rule)
  await make('/compute/v2.1/os-keypairs', { keypair: { name: secret, type: 'ssh', public_key: publicKey } })
  const serverGroup = { server_group: { name: secret, policy: 'affinity' } }
  const bundle = { bundle: { name: secret, servers: [{ server: cloud.newServer({ name: 'bundled' }) }] } }
  const credentials = `/identity/v3/users/${owner.user_id}/application_credentials`
  const access_rules = [{ service: 'compute', method: 'GET', path: '/v2.1/servers' }]
  const prefixes = { name: secret, prefixes: ['10.64.0.0/16'] }
  const share = { object_type: 'network', object_id: network_id, action: 'access_as_shared', target_tenant: secret }
  const trust = { trustor_user_id: owner.user_id, trustee_user_id: owner.user_id, impersonation: false }
  const ec2 = await make(`/identity/v3/users/${owner.user_id}/credentials/OS-EC2`, { tenant_id: owner.id })
  const credential = { type: 'cert', user_id: owner.user_id, project_id: owner.id, blob: secret }
  const robot = await make(credentials, { application_credential: { name: secret, access_rules } })
  const noted = cloud.services.some(({ operations }) => operations.some(({ id }) => id === 'compute.x_notes.show'))
  const label = noted && { 'x-notes:label': secret }
  const wanted = { name: secret, metadata: { [secret]: secret }, tags: [secret], ...label }
  const { id: server } = await cloud.boot(owner, wanted)
  const [action] = (
    await cloud.api<{ instanceActions: { request_id: string }[] }>(
      owner,
      'GET',
      `/servers/${server}/os-instance-actions`,
    )
  ).body.instanceActions
  const image = (await make('/image/v2/images', { name: secret, disk_format: 'raw', container_format: 'bare' })).id
  const friend = 'f'.repeat(32)
  await make(`/image/v2/images/${image}/members`, { member: friend })
  return {
    projects: owner.id,
    'os-quota-sets': owner.id,
    'os-simple-tenant-usage': owner.id,
    quotas: owner.id,
    users: owner.user_id,
    networks: network_id,
    subnets: subnet,
    ports: port,
    routers: router,
    floatingips: await network('floatingips', 'floatingip', { floating_network_id: outside, description: secret }),
    subnetpools: await network('subnetpools', 'subnetpool', prefixes),
    'rbac-policies': await network('rbac-policies', 'rbac_policy', share),
    'auto-allocated-topology': owner.id,
    'security-groups': group,
    'security-group-rules': groupRule,
    'os-security-groups': group,
    'os-security-group-rules': groupRule,
    'os-tenant-networks': network_id,
    'os-volumes_boot': server,
    'os-keypairs': secret,
    'os-server-groups': (await make('/compute/v2.1/os-server-groups', serverGroup)).server_group.id,
    'os-bundles': (await make('/compute/v2.1/os-bundles', bundle)).bundle.id,
    images: image,
    members: friend,
    trusts: (
      await make('/identity/v3/OS-TRUST/trusts', {
        trust: { ...trust, project_id: owner.id, roles: [{ name: 'member' }] },
      })
    ).trust.id,
    'OS-EC2': ec2.credential.access,
    credentials: (await make('/identity/v3/credentials', { credential })).credential.id,
    application_credentials: robot.application_credential.id,
    access_rules: robot.application_credential.access_rules[0].id,
    servers: server,
    'os-interface': port,
    'os-x-notes': server,
    'os-instance-actions': action!.request_id,
    metadata: secret,
    tags: secret,
    allocations: server,
  }
}

export const publicKey =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBIiJYrvXDUSz5f9kPGvKOzuPTxlLg3nUUsA8xwKJzFl owner@example'

/** The word before a parameter says what it is the id of. */
export function kinds(path: string): string[] {
  return [...path.matchAll(/([^/]+)\/\{[^}]+\}/g)].map(match => match[1]!)
}

export function addressed({ service, operation }: Reachable, ids: Record<string, string>, fallback: string): string {
  const path = operation.path.replace(/([^/]+)\/\{[^}]+\}/g, (_all, kind: string) => `${kind}/${ids[kind] ?? fallback}`)
  return service.path + path.replace(/\{[^}]+\}/g, fallback)
}

/** They tell of the moment at which they are asked. */
const ofTheMoment = /diagnostics|^compute\.usages\./

/** All of the owner's things as the owner sees them. */
export async function everything(cloud: ServerCloud, owner: TestProject, ids: Record<string, string>): Promise<string> {
  const seen: Record<string, unknown> = {}
  for (const one of surface) {
    if (one.operation.method !== 'GET' || one.operation.raw || !kinds(one.operation.path).every(kind => ids[kind]))
      continue
    const url = addressed(one, ids, nobody)
    const { status, body } = await cloud.request('GET', url, { token: owner.token, headers: headersAt(one) })
    if (status < 300 && !ofTheMoment.test(one.operation.id)) seen[one.operation.id] = body
  }
  assert.ok(Object.keys(seen).length > 40, `the owner sees ${Object.keys(seen).length} things`)
  return JSON.stringify(seen, null, 1)
}
