/** Security groups and floating IPs by compute's own old routes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from './fixtures/server-cloud.ts'

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const admin = await cloud.admin()
  const network = async (who: { token: string }, method: string, path: string, body?: unknown) => {
    const answer = await cloud.request<Record<string, { id: string; floating_ip_address: string }>>(
      method,
      `/network/v2.0/${path}`,
      { token: who.token, ...(body !== undefined && { body }) },
    )
    assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    return Object.values(answer.body)[0]!
  }
  return {
    cloud,
    demo,
    admin,
    server,
    network,
    act: (body: unknown, version = '2.43', who = demo) =>
      cloud.api<Record<string, { message: string }>>(who, 'POST', `/servers/${server.id}/action`, body, version),
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

interface Groups {
  security_groups: { id: string; name: string; rules: Record<string, unknown>[] }[]
}

test('a server is put in a group and taken out, by name or by id', async () => {
  await using s = await stage()
  const made = await s.network(s.demo, 'POST', 'security-groups', { security_group: { name: 'web' } })
  const names = async () =>
    (await s.cloud.show(s.demo, s.server.id)).security_groups.map((group: { name: string }) => group.name).sort()
  assert.equal((await s.act({ addSecurityGroup: { name: 'web' } })).status, 202)
  assert.deepEqual(await names(), ['default', 'web'])
  assert.equal((await s.act({ removeSecurityGroup: { name: made.id } })).status, 202)
  assert.deepEqual(await names(), ['default'])
  assert.equal((await s.act({ removeSecurityGroup: { name: 'web' } })).status, 404)
  assert.equal((await s.act({ addSecurityGroup: { name: 'none' } })).status, 404)
  assert.equal((await s.act({ addSecurityGroup: {} })).status, 400)
})

test('the groups of a project and of a server are listed with the rules that let something in', async () => {
  await using s = await stage()
  const made = await s.network(s.demo, 'POST', 'security-groups', { security_group: { name: 'web' } })
  const tcp = { security_group_id: made.id, direction: 'ingress', protocol: 'tcp' }
  await s.network(s.demo, 'POST', 'security-group-rules', { security_group_rule: tcp })
  const list = await s.cloud.api<Groups>(s.demo, 'GET', '/os-security-groups', undefined, '2.35')
  assert.deepEqual(
    list.body.security_groups.map(group => group.name),
    ['default', 'web'],
  )
  const [fallback, web] = list.body.security_groups
  const source = { name: 'default', tenant_id: s.demo.id }
  assert.deepEqual(
    fallback!.rules.map(rule => [rule.ip_protocol, rule.from_port, rule.group, rule.ip_range]),
    [
      [null, null, source, {}],
      [null, null, source, {}],
    ],
  )
  const [rule] = web!.rules
  assert.deepEqual(
    [rule!.ip_protocol, rule!.from_port, rule!.to_port, rule!.group, rule!.ip_range],
    ['tcp', 1, 65_535, {}, { cidr: '0.0.0.0/0' }],
  )
  const path = `/os-security-groups/${made.id}`
  assert.equal((await s.cloud.api(s.demo, 'GET', path, undefined, '2.35')).status, 200)
  assert.equal((await s.cloud.api(s.demo, 'GET', path, undefined, '2.36')).status, 404)
  const other = await s.cloud.project('p2')
  assert.equal((await s.cloud.api(other, 'GET', path, undefined, '2.35')).status, 404)
  const own = await s.cloud.api<Groups>(s.demo, 'GET', `/servers/${s.server.id}/os-security-groups`)
  assert.deepEqual(
    own.body.security_groups.map(group => group.id),
    [fallback!.id],
  )
})

test('a floating IP is led to a server and taken off, until 2.43', async () => {
  await using s = await stage()
  const outside = { name: 'public', 'router:external': true }
  const { id: network_id } = await s.network(s.admin, 'POST', 'networks', { network: outside })
  const range = { network_id, ip_version: 4, cidr: '203.0.113.0/24', enable_dhcp: false }
  await s.network(s.admin, 'POST', 'subnets', { subnet: range })
  const gateway = { external_gateway_info: { network_id } }
  const router = await s.network(s.admin, 'POST', 'routers', { router: { name: 'r', ...gateway } })
  const inside = (await s.network(s.admin, 'GET', `networks/${s.cloud.network}`)) as unknown as { subnets: string[] }
  await s.network(s.admin, 'PUT', `routers/${router.id}/add_router_interface`, { subnet_id: inside.subnets[0] })
  const asked = { floatingip: { floating_network_id: network_id } }
  const { floating_ip_address: address } = await s.network(s.demo, 'POST', 'floatingips', asked)

  const message = async (body: unknown) => {
    const answer = await s.act(body)
    return [answer.status, Object.values(answer.body)[0]?.message]
  }
  assert.equal((await s.act({ addFloatingIp: { address } }, '2.44')).status, 400)
  assert.deepEqual(await message({ addFloatingIp: { address: '203.0.113.99' } }), [404, 'floating IP not found'])
  assert.deepEqual(await message({ addFloatingIp: { address, fixed_address: '10.0.99.99' } }), [
    400,
    'Specified fixed address not assigned to instance',
  ])
  assert.equal((await s.act({ addFloatingIp: { address } })).status, 202)
  const types = async () =>
    (await s.cloud.show(s.demo, s.server.id)).addresses.private.map(
      (ip: Record<string, string>) => ip['OS-EXT-IPS:type'],
    )
  assert.deepEqual(await types(), ['fixed', 'floating'])
  const second = (await s.network(s.demo, 'POST', 'floatingips', asked)).floating_ip_address
  const [status, why] = await message({ addFloatingIp: { address: second } })
  assert.equal(status, 400)
  assert.match(String(why), /^Unable to associate floating IP .* Error: .* already has a floating IP/)
  assert.equal((await s.act({ removeFloatingIp: { address } })).status, 202)
  assert.deepEqual(await types(), ['fixed'])
  assert.deepEqual(await message({ removeFloatingIp: { address } }), [
    409,
    `Floating IP ${address} is not associated with instance ${s.server.id}.`,
  ])
  assert.equal((await s.act({ removeFloatingIp: { address: 'x' } })).status, 400)
})

test('a guest without NUMA nodes of its own has an empty topology, from 2.78 on', async () => {
  await using s = await stage()
  const path = `/servers/${s.server.id}/topology`
  assert.deepEqual((await s.cloud.api(s.demo, 'GET', path)).body, { nodes: [], pagesize_kb: null })
  assert.equal((await s.cloud.api(s.demo, 'GET', path, undefined, '2.77')).status, 404)
})

test('a server gets one more address in its network, and gives it back', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const act = async (body: unknown, version = '2.43') =>
    (await cloud.api(demo, 'POST', `/servers/${id}/action`, body, version)).status
  const addresses = async () =>
    (await cloud.show(demo, id)).addresses.private.map((one: { addr: string }) => one.addr) as string[]
  const [first] = await addresses()
  assert.equal(await act({ addFixedIp: { networkId: cloud.network } }), 202)
  const both = await addresses()
  assert.deepEqual([both.length, both.includes(first!)], [2, true])
  const added = both.find(address => address !== first)!
  assert.equal(await act({ removeFixedIp: { address: added } }), 202)
  assert.deepEqual(await addresses(), [first])
  assert.equal(await act({ removeFixedIp: { address: added } }), 400)
  assert.equal(await act({ addFixedIp: { networkId: '00000000-0000-4000-8000-000000000001' } }), 404)
  assert.equal(await act({ addFixedIp: { networkId: cloud.network } }, '2.44'), 400, 'from 2.44 on ports are the way')
})
