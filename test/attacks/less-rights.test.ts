/** Those with fewer rights: a reader changes nothing, a member sets nothing that is an administrator's; attack case 18. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ServerCloud, serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import type { TestProject } from '../harness.ts'
import { addressed, belongings, everything, kinds } from './belongings.ts'
import { sample } from './sample.ts'
import { bodySchema, contentType, extended, headersAt, surface, takesBody } from './surface.ts'

/** A user's own things, which upstream lets every user have. */
const ownThings = /^identity\.|^compute\.keypairs\./

test('a reader of the project changes nothing in it', async () => {
  await using cloud = await serverCloud({ set: extended })
  const owner = await cloud.project('owner')
  const ids = await belongings(cloud, owner)
  const before = await everything(cloud, owner, ids)
  const account = { project: 'owner', user: 'onlooker', password: 'onlooker', role: 'reader' }
  await cloud.env.services.identity.ensureAccount(cloud.ctx(), account)
  const token = await cloud.login('onlooker')
  let looked = 0
  for (const one of surface) {
    const { operation } = one
    if (operation.method === 'GET' || operation.policy === 'public' || ownThings.test(operation.id)) continue
    const kind = kinds(operation.path)[0] ?? operation.path.split('/').at(-1)!
    const member = kind.replace(/s$/, '').replaceAll('-', '_')
    const bodies = takesBody(one) ? [sample(bodySchema(one)!), { [member]: { name: 'taken' } }] : [undefined]
    for (const body of bodies) {
      const answer: { status: number } = await cloud.request(operation.method, addressed(one, ids, 'x'), {
        token,
        headers: { ...headersAt(one), ...(body !== undefined && contentType(one)) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      assert.ok(answer.status >= 400 && answer.status < 500, `${operation.id}: ${answer.status}`)
      looked++
    }
  }
  assert.ok(looked > 100, `${looked} requests`)
  assert.equal(await everything(cloud, owner, ids), before)
})

interface Attempt {
  what: string
  method: string
  path: string
  body: object
  /** As upstream; 403 when not said. */
  status?: number
}

function attempts(cloud: ServerCloud, ids: Record<string, string>, member: TestProject): Attempt[] {
  const network = (what: string, values: object, collection: string, single: string, status?: number): Attempt[] => {
    const path = `/network/v2.0/${collection}`
    const needed = { ports: { network_id: ids.networks }, subnets: { network_id: ids.networks } }[collection]
    const with_ = status === undefined ? {} : { status }
    return [
      { what: `${what} at creation`, method: 'POST', path, body: { [single]: { ...needed, ...values } }, ...with_ },
      { what, method: 'PUT', path: `${path}/${ids[collection]}`, body: { [single]: values }, ...with_ },
    ]
  }
  const server = (what: string, values: object): Attempt => ({
    what,
    method: 'POST',
    path: '/compute/v2.1/servers',
    body: { server: { ...cloud.newServer(), ...values } },
  })
  const identity = (what: string, method: string, path: string, body: object): Attempt => ({
    what,
    method,
    path: `/identity/v3/${path}`,
    body,
  })
  const patch = (what: string, name: string, value: unknown): Attempt => ({
    what,
    method: 'PATCH',
    path: `/image/v2/images/${ids.images}`,
    body: [{ op: 'replace', path: `/${name}`, value }],
  })
  const { id, user_id } = member
  return [
    ...network('a network for all', { shared: true }, 'networks', 'network'),
    ...network('an external network', { 'router:external': true }, 'networks', 'network'),
    ...network('a physical network', { 'provider:physical_network': 'public' }, 'networks', 'network'),
    ...network('a segment', { 'provider:segmentation_id': 7 }, 'networks', 'network'),
    ...network('the default network', { is_default: true }, 'networks', 'network'),
    ...network('a port on a host', { 'binding:host_id': 'h1' }, 'ports', 'port'),
    ...network('a port with a profile', { 'binding:profile': { a: 'b' } }, 'ports', 'port'),
    server('a server on a host', { host: 'h1' }),
    server('a server on a hypervisor', { hypervisor_hostname: 'h1' }),
    server('a server on a host by its zone', { availability_zone: 'nova:h1' }),
    patch('an image for all', 'visibility', 'public'),
    patch('an image of another project', 'owner', 'f'.repeat(32)),
    {
      what: 'an image for all at creation',
      method: 'POST',
      path: '/image/v2/images',
      body: { name: 'x', visibility: 'public', disk_format: 'raw', container_format: 'bare' },
    },
    {
      what: "another user's key pair",
      method: 'POST',
      path: '/compute/v2.1/os-keypairs',
      body: { keypair: { name: 'x', user_id: 'f'.repeat(32), type: 'ssh', public_key: 'ssh-ed25519 AAAA' } },
    },
    {
      what: 'a larger quota',
      method: 'PUT',
      path: `/compute/v2.1/os-quota-sets/${id}`,
      body: { quota_set: { instances: 1000 } },
    },
    {
      what: 'a larger network quota',
      method: 'PUT',
      path: `/network/v2.0/quotas/${id}`,
      body: { quota: { port: -1 } },
    },
    identity('oneself another name', 'PATCH', `users/${user_id}`, { user: { name: 'admin2' } }),
    identity('the own project', 'PATCH', `projects/${id}`, { project: { description: 'x' } }),
    identity('a project', 'POST', 'projects', { project: { name: 'more' } }),
    identity('a domain', 'POST', 'projects', { project: { name: 'more', is_domain: true } }),
    identity("another's credential", 'POST', 'credentials', {
      credential: { type: 'cert', user_id: 'f'.repeat(32), blob: 'x' },
    }),
    identity("another's credential by a change", 'PATCH', `credentials/${ids.credentials}`, {
      credential: { user_id: 'f'.repeat(32) },
    }),
    identity('a user', 'POST', 'users', { user: { name: 'more', password: 'x' } }),
    identity('an endpoint', 'POST', 'endpoints', {
      endpoint: { service_id: 'x', interface: 'public', url: 'http://evil.example' },
    }),
  ]
}

test('attack 18: what an administrator alone may set is refused to a member, and stays as it was', async () => {
  await using cloud = await serverCloud({ set: extended })
  const member = await cloud.project('owner')
  const ids = await belongings(cloud, member)
  const before = await everything(cloud, member, ids)
  for (const { what, method, path, body, status = 403 } of attempts(cloud, ids, member)) {
    const isPatch = path.startsWith('/image') && method === 'PATCH'
    const answer = await cloud.request(method, path, {
      token: member.token,
      body: JSON.stringify(body),
      headers: {
        'content-type': isPatch ? 'application/openstack-images-v2.1-json-patch' : 'application/json',
        'openstack-api-version': 'compute latest',
      },
    })
    assert.equal(answer.status, status, `${what}: ${JSON.stringify(answer.body)}`)
  }
  assert.equal(await everything(cloud, member, ids), before)
})

test('attack 18: a member gives itself no role', async () => {
  await using cloud = await serverCloud({ set: extended })
  const member = await cloud.project('owner')
  const admin = await cloud.login('admin')
  const { body } = await cloud.request<{ roles: { id: string }[] }>('GET', '/identity/v3/roles?name=admin', {
    token: admin,
  })
  const role = body.roles[0]!.id
  for (const target of [`projects/${member.id}`, 'domains/default', 'system', `OS-INHERIT/domains/default`]) {
    const end = target.startsWith('OS-INHERIT') ? '/inherited_to_projects' : ''
    const url = `/identity/v3/${target}/users/${member.user_id}/roles/${role}${end}`
    assert.equal((await cloud.request('PUT', url, { token: member.token })).status, 403, target)
  }
})
