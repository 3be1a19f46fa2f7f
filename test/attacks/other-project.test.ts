/** Another project's things: neither read, listed, counted nor changed, and not told from things that are not there; attack case 17. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ServerCloud, serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import type { TestProject } from '../harness.ts'
import { sample } from './sample.ts'
import { bodySchema, contentType, headersAt, nobody, type Reachable, surface, takesBody, urlOf } from './surface.ts'

const secret = 'hands-off'

/** What a project has, by the word that stands before its id in paths. */
async function belongings(cloud: ServerCloud, owner: TestProject): Promise<Record<string, string>> {
  // biome-ignore lint/suspicious/noExplicitAny: many kinds of answers
  const make = async (url: string, body: object, method = 'POST'): Promise<any> => {
    const headers = { 'openstack-api-version': 'compute 2.90' }
    const answer = await cloud.request(method, url, { token: owner.token, body, headers })
    assert.ok(answer.status < 300, `${url}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const network = async (collection: string, member: string, values: object): Promise<string> =>
    (await make(`/network/v2.0/${collection}`, { [member]: values }))[member].id
  const network_id = await network('networks', 'network', { name: secret })
  const subnet = await network('subnets', 'subnet', { network_id, cidr: '10.9.0.0/24', ip_version: 4, name: secret })
  const port = await network('ports', 'port', { network_id, name: secret })
  const router = await network('routers', 'router', { name: secret })
  const group = await network('security-groups', 'security_group', { name: secret })
  const rule = { security_group_id: group, direction: 'ingress', protocol: 'tcp', remote_ip_prefix: '10.9.0.0/16' }
  const groupRule = await network('security-group-rules', 'security_group_rule', rule)
  await make('/compute/v2.1/os-keypairs', { keypair: { name: secret, type: 'ssh', public_key: publicKey } })
  const serverGroup = { server_group: { name: secret, policy: 'affinity' } }
  const credentials = `/identity/v3/users/${owner.user_id}/application_credentials`
  const access_rules = [{ service: 'compute', method: 'GET', path: '/v2.1/servers' }]
  const credential = { type: 'cert', user_id: owner.user_id, project_id: owner.id, blob: secret }
  const robot = await make(credentials, { application_credential: { name: secret, access_rules } })
  const { id: server } = await cloud.boot(owner, { name: secret, metadata: { [secret]: secret }, tags: [secret] })
  const [action] = (
    await cloud.api<{ instanceActions: { request_id: string }[] }>(
      owner,
      'GET',
      `/servers/${server}/os-instance-actions`,
    )
  ).body.instanceActions
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
    'security-groups': group,
    'security-group-rules': groupRule,
    'os-keypairs': secret,
    'os-server-groups': (await make('/compute/v2.1/os-server-groups', serverGroup)).server_group.id,
    images: (await make('/image/v2/images', { name: secret, disk_format: 'raw', container_format: 'bare' })).id,
    credentials: (await make('/identity/v3/credentials', { credential })).credential.id,
    application_credentials: robot.application_credential.id,
    access_rules: robot.application_credential.access_rules[0].id,
    servers: server,
    'os-interface': port,
    'os-instance-actions': action!.request_id,
    metadata: secret,
    tags: secret,
    allocations: server,
  }
}

const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBIiJYrvXDUSz5f9kPGvKOzuPTxlLg3nUUsA8xwKJzFl owner@example'

/** The word before a parameter says what it is the id of. */
function kinds(path: string): string[] {
  return [...path.matchAll(/([^/]+)\/\{[^}]+\}/g)].map(match => match[1]!)
}

function addressed({ service, operation }: Reachable, ids: Record<string, string>, fallback: string): string {
  const path = operation.path.replace(/([^/]+)\/\{[^}]+\}/g, (_all, kind: string) => `${kind}/${ids[kind] ?? fallback}`)
  return service.path + path.replace(/\{[^}]+\}/g, fallback)
}

/** Asked with another proof than the token, or the same for every project. */
const open = new Set(['identity.users.change_password', 'compute.quota_sets.defaults'])

/** A change that almost anything of the network's takes. */
const renaming = (kind: string) => [
  { [kind.replace(/s$/, '').replaceAll('-', '_')]: { name: 'taken', description: 'taken' } },
]

/** All of the owner's things as the owner sees them. */
async function everything(cloud: ServerCloud, owner: TestProject, ids: Record<string, string>): Promise<string> {
  const seen: Record<string, unknown> = {}
  for (const one of surface) {
    if (one.operation.method !== 'GET' || one.operation.raw || !kinds(one.operation.path).every(kind => ids[kind]))
      continue
    const url = addressed(one, ids, nobody)
    const { status, body } = await cloud.request('GET', url, { token: owner.token, headers: headersAt(one) })
    if (status < 300 && !one.operation.id.includes('diagnostics')) seen[one.operation.id] = body
  }
  assert.ok(Object.keys(seen).length > 40, `the owner sees ${Object.keys(seen).length} things`)
  return JSON.stringify(seen, null, 1)
}

for (const role of ['member', 'manager', 'reader']) {
  test(`a ${role} of another project can do nothing with a thing that could not be done with one that is not there`, async () => {
    await using cloud = await serverCloud()
    const owner = await cloud.project('owner')
    const stranger = await cloud.project('stranger', role)
    const ids = await belongings(cloud, owner)
    const before = await everything(cloud, owner, ids)
    let looked = 0
    const told: unknown[] = []
    for (const one of surface) {
      const { operation } = one
      const [first] = kinds(operation.path)
      if (!first || !ids[first] || operation.raw || open.has(operation.id)) continue
      const absent = Object.fromEntries(
        Object.keys(ids).map(kind => [kind, /-/.test(ids[kind]!) ? nobody : nobody.replaceAll('-', '')]),
      )
      const bodies = takesBody(one) ? [sample(bodySchema(one)!), {}, ...renaming(first)] : [undefined]
      for (const body of bodies) {
        const [theirs, nothing] = await Promise.all(
          [ids, absent].map(async whose => {
            const answer = await cloud.request(operation.method, addressed(one, whose, secret), {
              token: stranger.token,
              headers: { ...headersAt(one), ...(body !== undefined && contentType(one)) },
              ...(body !== undefined && { body: JSON.stringify(body) }),
            })
            let text = JSON.stringify(answer.body)
            for (const id of Object.values(whose)) text = text.replaceAll(id, 'ID')
            text = text.replace(/req-[0-9a-f-]{36}/g, 'REQUEST')
            return { status: answer.status, text }
          }),
        )
        if (!(theirs!.status >= 400 && theirs!.status < 500)) told.push({ id: operation.id, theirs })
        if (theirs!.status !== nothing!.status || theirs!.text !== nothing!.text)
          told.push({ id: operation.id, theirs, nothing })
        looked++
      }
    }
    assert.deepEqual(told, [])
    assert.ok(looked > 80, `${looked} operations`)
    assert.equal(await everything(cloud, owner, ids), before)
  })
}

test('no list shows a thing of another project, whatever the scope of the token', async () => {
  await using cloud = await serverCloud()
  const owner = await cloud.project('owner')
  const stranger = await cloud.project('stranger')
  const ids = await belongings(cloud, owner)
  const tokens = { project: stranger.token, none: await cloud.login('stranger', 'unscoped') }
  const ways = [
    '',
    '?all_tenants=1',
    '?all_projects=true',
    `?project_id=${owner.id}`,
    `?tenant_id=${owner.id}`,
    `?owner=${owner.id}`,
    `?name=${secret}`,
  ]
  for (const one of surface) {
    const { method, path, raw, id } = one.operation
    if (method !== 'GET' || raw || path.includes('{')) continue
    for (const [scope, token] of Object.entries(tokens)) {
      for (const way of [...ways, `?user_id=${owner.user_id}`, '?member_status=all&visibility=all']) {
        const { body, status } = await cloud.request('GET', urlOf(one) + way, { token, headers: headersAt(one) })
        if (status >= 400) continue
        const text = JSON.stringify(body).replaceAll(encodeURIComponent(way), '').replaceAll(way, '')
        for (const [kind, its] of Object.entries(ids)) {
          assert.ok(!text.includes(its), `${id}${way} with scope ${scope} shows ${kind}: ${text.slice(0, 400)}`)
        }
      }
    }
  }
})
