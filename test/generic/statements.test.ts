/** How many statements a read costs: few for one thing, and for a list as many whatever its length. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ServerCloud, serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { addressed, belongings, kinds, publicKey } from '../attacks/belongings.ts'
import { installation } from '../attacks/installation.ts'
import { extended, headersAt, nobody, type Reachable, surface } from '../attacks/surface.ts'
import type { TestProject } from '../harness.ts'

const reads = surface.filter(({ operation }) => operation.method === 'GET' && !operation.raw)

/** So that looking for revocations by other processes falls on none of the requests. */
const remembering = { set: ['identity.cache_trust_ms=60000'] }

/** Of the second of two requests: what is remembered of the caller is remembered then. */
async function statementsOf(
  cloud: ServerCloud,
  token: string,
  one: Reachable,
  url: string,
): Promise<number | undefined> {
  const ask = () => cloud.request('GET', url, { token, headers: headersAt(one) })
  if ((await ask()).status >= 300) return undefined
  const before = cloud.env.database.statements()
  await ask()
  return cloud.env.database.statements() - before
}

/** More of everything that lists show. */
async function makeMore(cloud: ServerCloud, owner: TestProject, ids: Record<string, string>): Promise<void> {
  const make = async (url: string, body: object) => {
    const headers = { 'openstack-api-version': 'compute 2.90' }
    const answer = await cloud.request('POST', url, { token: owner.token, headers, body })
    assert.ok(answer.status < 300, `${url}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const network = (collection: string, member: string, values: object) =>
    make(`/network/v2.0/${collection}`, { [member]: values })
  const network_id = ids.networks
  const security_group_id = ids['security-groups']
  for (let i = 0; i < 5; i++) {
    const name = `more-${i}`
    await network('networks', 'network', { name })
    await network('subnets', 'subnet', { network_id, cidr: `10.9.${i + 1}.0/24`, ip_version: 4 })
    await network('ports', 'port', { network_id, name, tags: [name] })
    await network('routers', 'router', { name })
    await network('security-groups', 'security_group', { name })
    const rule = { security_group_id, direction: 'ingress', protocol: 'tcp', remote_ip_prefix: `10.${i}.0.0/16` }
    await network('security-group-rules', 'security_group_rule', rule)
    await make('/compute/v2.1/os-keypairs', { keypair: { name, type: 'ssh', public_key: publicKey } })
    await make('/compute/v2.1/os-server-groups', { server_group: { name, policy: 'affinity' } })
    await make('/image/v2/images', { name, tags: [name], disk_format: 'raw', container_format: 'bare' })
    const credential = { type: 'cert', user_id: owner.user_id, project_id: owner.id, blob: name }
    await make('/identity/v3/credentials', { credential })
    const robots = `/identity/v3/users/${owner.user_id}/application_credentials`
    await make(robots, { application_credential: { name } })
    await cloud.boot(owner, { name, tags: [name], 'x-notes:label': name })
  }
}

/** What costs more than three: a server's row, its ports, what hangs on it in its cell and what in all. This list may only shrink. */
const costlier = {
  'compute.servers.show': 4,
  'compute.volumes_boot.show': 4,
}

test('one thing by its id costs three statements at most', async () => {
  await using cloud = await serverCloud(remembering)
  const owner = await cloud.project('owner')
  const ids = await installation(cloud, await belongings(cloud, owner), owner)
  const counts: Record<string, number> = {}
  for (const one of reads) {
    const { path, id } = one.operation
    if (!/\{\w+\}$/.test(path) || !kinds(path).every(kind => ids[kind])) continue
    const count = await statementsOf(cloud, owner.token, one, addressed(one, ids, nobody))
    if (count !== undefined) counts[id] = count
  }
  assert.ok(Object.keys(counts).length > 20, `${Object.keys(counts)}`)
  assert.deepEqual(Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 3)), costlier)
})

test('a list costs as many statements when it is longer', async () => {
  await using cloud = await serverCloud({ set: [...remembering.set, ...extended] })
  const owner = await cloud.project('owner')
  const ids = await belongings(cloud, owner)
  const lists = reads.filter(
    ({ operation }) => !operation.path.endsWith('}') && kinds(operation.path).every(kind => ids[kind]),
  )
  const countAll = async () => {
    const counts = new Map<string, number>()
    for (const one of lists) {
      const count = await statementsOf(cloud, owner.token, one, addressed(one, ids, nobody))
      if (count !== undefined) counts.set(one.operation.id, count)
    }
    return counts
  }
  const few = await countAll()
  await makeMore(cloud, owner, ids)
  const many = await countAll()
  assert.ok(many.size > 40, `${many.size} lists`)
  const grown = [...many]
    .filter(([id, count]) => count > few.get(id)!)
    .map(([id, count]) => `${id}: ${few.get(id)} then ${count}`)
  assert.deepEqual(grown, [])
})
