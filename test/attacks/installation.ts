/** What an administrator has beyond a project's things, as a target: its ids by the word that stands before them in paths. */
import assert from 'node:assert/strict'
import type { ServerCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import type { TestProject } from '../harness.ts'

/** Given those of a project, `belongings`. */
export async function installation(
  cloud: ServerCloud,
  ids: Record<string, string>,
  owner: TestProject,
): Promise<Record<string, string>> {
  const admin = await cloud.admin()
  // biome-ignore lint/suspicious/noExplicitAny: many kinds of answers
  const ask = async (method: string, url: string, body?: object): Promise<any> => {
    const headers = { 'openstack-api-version': `${url.split('/')[1]} latest` }
    const answer = await cloud.request(method, url, { token: admin.token, headers, ...(body && { body }) })
    assert.ok(answer.status < 300, `${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const v3 = '/identity/v3'
  const federation = `${v3}/OS-FEDERATION`
  const made = async (path: string, member: string, values: object): Promise<string> =>
    (await ask('POST', path, { [member]: values }))[member].id
  const mine = async (name: string) => (await ask('GET', `/compute/v2.1/${name}`))[name.replace('os-', '')][0]

  const services = await made(`${v3}/services`, 'service', { type: 'proof', name: 'proof' })
  const limit = { service_id: services, resource_name: 'things' }
  const registered = await ask('POST', `${v3}/registered_limits`, {
    registered_limits: [{ ...limit, default_limit: 5 }],
  })
  const limits = await ask('POST', `${v3}/limits`, { limits: [{ ...limit, project_id: owner.id, resource_limit: 3 }] })
  const rules = [{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'REMOTE_USER' }] }]
  await ask('PUT', `${federation}/mappings/proof`, { mapping: { rules } })
  await ask('PUT', `${federation}/identity_providers/proof`, { identity_provider: {} })
  await ask('PUT', `${federation}/identity_providers/proof/protocols/proof`, { protocol: { mapping_id: 'proof' } })
  const sp = { auth_url: 'http://other.example/v3', sp_url: 'http://other.example/sp' }
  await ask('PUT', `${federation}/service_providers/proof`, { service_provider: sp })

  const v2 = '/network/v2.0'
  const agents = await ask('GET', `${v2}/agents`)
  const providers = await ask('GET', '/placement/resource_providers')
  await ask('PUT', '/placement/resource_classes/CUSTOM_PROOF')
  await ask('POST', '/compute/v2.1/flavors/42/os-extra_specs', { extra_specs: { 'hw:cpu_policy': 'shared' } })
  const aggregate = String(await made('/compute/v2.1/os-aggregates', 'aggregate', { name: 'proof' }))
  // No host is of that kind: nobody fetches it.
  const build = { hypervisor: 'xen', os: 'linux', architecture: 'x86_64', version: '1.0', url: 'http://localhost:9/' }
  const { agent } = await ask('POST', '/compute/v2.1/os-agents', { agent: { ...build, md5hash: '0'.repeat(32) } })
  const metadata = { 'place:rack': 'r1' }
  await ask('POST', `/compute/v2.1/os-aggregates/${aggregate}/action`, { set_metadata: { metadata } })
  return {
    ...ids,
    'os-host-signals': 'h1',
    domains: await made(`${v3}/domains`, 'domain', { name: 'proof' }),
    groups: await made(`${v3}/groups`, 'group', { name: 'proof' }),
    roles: await made(`${v3}/roles`, 'role', { name: 'proof' }),
    /** Another role. */
    implies: await made(`${v3}/roles`, 'role', { name: 'implied' }),
    policies: await made(`${v3}/policies`, 'policy', { blob: '{}', type: 'application/json' }),
    consumers: await made(`${v3}/OS-OAUTH1/consumers`, 'consumer', { description: 'proof' }),
    regions: await made(`${v3}/regions`, 'region', { id: 'proof' }),
    endpoints: await made(`${v3}/endpoints`, 'endpoint', {
      service_id: services,
      interface: 'public',
      url: 'http://proof.example/',
    }),
    endpoint_groups: await made(`${v3}/OS-EP-FILTER/endpoint_groups`, 'endpoint_group', {
      name: 'proof',
      filters: { interface: 'public' },
    }),
    services,
    registered_limits: registered.registered_limits[0].id,
    limits: limits.limits[0].id,
    config: 'identity',
    identity_providers: 'proof',
    mappings: 'proof',
    protocols: 'proof',
    service_providers: 'proof',
    agents: agents.agents[0].id,
    resource_providers: providers.resource_providers[0].uuid,
    inventories: 'VCPU',
    resource_classes: 'CUSTOM_PROOF',
    flavors: '42',
    'os-extra_specs': 'hw:cpu_policy',
    'os-agents': String(agent.agent_id),
    'os-aggregates': aggregate,
    'os-places': 'rack=r1',
    'os-dedicated-hosts': 'h1',
    'os-maintenances': await made('/compute/v2.1/os-maintenances', 'maintenance', { kind: 'balance' }),
    'os-services': (await mine('os-services')).id,
    'os-hosts': 'h1',
    'os-hypervisors': (await mine('os-hypervisors')).id,
    'os-quota-class-sets': 'default',
    // The name is refused when it is resolved: nothing is sent there.
    webhooks: await made('/event/v1/webhooks', 'webhook', { url: 'http://localhost:9/' }),
  }
}
