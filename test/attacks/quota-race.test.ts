/** Many requests at once with room for one: one gets it, the others hear the service's own refusal, and the count stays right; attack case 22. */
import assert from 'node:assert/strict'
import { systemClock } from '../../src/kernel/clock.ts'
import { type ServerCloud, serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import { onEachEngine } from '../engines.ts'
import type { TestProject } from '../harness.ts'

const atOnce = 20

interface Race {
  url: string
  body: (n: number) => object
  refusal: number
  /** How many there are now. */
  collection: string
}

// biome-ignore lint/suspicious/noExplicitAny: lists of many kinds
const count = async (cloud: ServerCloud, { token }: TestProject, url: string, collection: string): Promise<any[]> =>
  (await cloud.request<Record<string, unknown[]>>('GET', url, { token, headers })).body[collection]!

const headers = { 'openstack-api-version': 'compute 2.90' }

async function races(cloud: ServerCloud, project: TestProject): Promise<Record<string, Race>> {
  const networks = '/network/v2.0/networks'
  const network = await cloud.request<{ network: { id: string } }>('POST', networks, {
    token: project.token,
    body: { network: { name: 'n' } },
  })
  const network_id = network.body.network.id
  const groups = await count(cloud, project, '/network/v2.0/security-groups', 'security_groups')
  const of = (member: string, collection: string, values: (n: number) => object): Race => ({
    url: `/network/v2.0/${collection.replaceAll('_', '-')}`,
    body: n => ({ [member]: values(n) }),
    refusal: 409,
    collection,
  })
  const security_group_id = groups[0].id
  return {
    'compute instances': {
      url: '/compute/v2.1/servers',
      body: n => ({ server: cloud.newServer({ name: `s${n}` }) }),
      refusal: 403,
      collection: 'servers',
    },
    'compute server_groups': {
      url: '/compute/v2.1/os-server-groups',
      body: n => ({ server_group: { name: `g${n}`, policy: 'affinity' } }),
      refusal: 403,
      collection: 'server_groups',
    },
    'network network': of('network', 'networks', n => ({ name: `n${n}` })),
    'network subnet': of('subnet', 'subnets', n => ({ network_id, ip_version: 4, cidr: `10.77.${n}.0/24` })),
    'network port': of('port', 'ports', () => ({ network_id })),
    'network router': of('router', 'routers', n => ({ name: `r${n}` })),
    'network security_group': of('security_group', 'security_groups', n => ({ name: `g${n}` })),
    'network security_group_rule': of('security_group_rule', 'security_group_rules', n => ({
      security_group_id,
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: 1000 + n,
      port_range_max: 1000 + n,
    })),
  }
}

onEachEngine('of many at once with room for one, one gets it', async database => {
  await using cloud = await serverCloud({ world: await newWorld(systemClock(), database) })
  const project = await cloud.project('crowd')
  const admin = await cloud.login('admin')
  for (const [name, { url, body, refusal, collection }] of Object.entries(await races(cloud, project))) {
    const [service, resource] = name.split(' ') as [string, string]
    const own = (all: { project_id?: string }[]) => all.filter(one => !one.project_id || one.project_id === project.id)
    const before = own(await count(cloud, project, url, collection)).length
    const path = service === 'compute' ? 'compute/v2.1/os-quota-sets' : 'network/v2.0/quotas'
    const quota = { [service === 'compute' ? 'quota_set' : 'quota']: { [resource]: before + 1 } }
    const set = await cloud.request('PUT', `/${path}/${project.id}`, { token: admin, body: quota, headers })
    assert.equal(set.status, 200, `${name}: ${JSON.stringify(set.body)}`)
    const answers = await Promise.all(
      Array.from({ length: atOnce }, (_, n) =>
        cloud.request('POST', url, { token: project.token, body: body(n), headers }),
      ),
    )
    const codes = answers.map(answer => answer.status).sort()
    assert.ok(codes[0]! < 300, `${name}: ${codes} ${JSON.stringify(answers[0]!.body)}`)
    assert.deepEqual(codes.slice(1), Array(atOnce - 1).fill(refusal), `${name}: ${codes}`)
    await cloud.env.sagas.idle()
    assert.equal(own(await count(cloud, project, url, collection)).length, before + 1, name)
  }
})
