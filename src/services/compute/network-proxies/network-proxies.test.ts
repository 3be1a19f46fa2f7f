/** Networks, floating IPs and security groups by compute's old routes. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud, projects } from '../fixtures/compute-cloud.ts'

type Cloud = Awaited<ReturnType<typeof computeCloud>>
type Message = Record<string, { message: string }>

/** The networks that a new cloud has: `public`, and `private` of the demo project. */
async function stage(cloud: Cloud) {
  const ids = { demo_project_id: projects.demo, admin_project_id: projects.admin }
  await cloud.env.services.network.bootstrap(cloud.ctx(), ids)
  return <T = Message>(method: string, path: string, body?: unknown, who: 'alice' | 'bob' | 'admin' = 'alice') =>
    cloud.call<T>(who, method, path, body, '2.35')
}

interface Ip {
  id: string
  ip: string
  pool: string
  fixed_ip: string | null
  instance_id: string | null
}

onEachEngine('networks are shown by name, with members of long ago as null', async database => {
  await using cloud = await computeCloud({ database })
  const call = await stage(cloud)
  type Networks = { networks: { id: string; label: string; cidr: string | null }[] }
  const { networks } = (await call<Networks>('GET', '/os-networks')).body
  assert.deepEqual(
    networks.map(one => [one.label, one.cidr]),
    [
      ['private', null],
      ['public', null],
    ],
  )
  const short = (await call<Networks>('GET', '/os-tenant-networks')).body.networks
  assert.deepEqual(short[0], { id: networks[0]!.id, label: 'private', cidr: 'None' })
  const all = (await call<Networks>('GET', '/os-networks', undefined, 'admin')).body.networks
  assert.deepEqual([all.length, 'bridge' in all[0]!], [2, true])
  const path = `/os-networks/${networks[0]!.id}`
  const one = await call<{ network: { id: string; label: string } }>('GET', path)
  assert.deepEqual(one.body.network, networks[0])
  const tenants = await call<{ network: unknown }>('GET', `/os-tenant-networks/${networks[0]!.id}`)
  assert.deepEqual(tenants.body.network, short[0])
  const foreign = await call('GET', path, undefined, 'bob')
  assert.deepEqual([foreign.status, foreign.body.itemNotFound!.message], [404, 'Network not found'])
  assert.equal((await cloud.call('alice', 'GET', '/os-networks', undefined, '2.36')).status, 404)
  assert.equal((await cloud.call('alice', 'POST', '/os-networks', {}, '2.36')).status, 410)
})

onEachEngine('floating IPs are taken from a pool and given back', async database => {
  await using cloud = await computeCloud({ database })
  const call = await stage(cloud)
  const pools = await call<{ floating_ip_pools: unknown }>('GET', '/os-floating-ip-pools')
  assert.deepEqual(pools.body.floating_ip_pools, [{ name: 'public' }])
  const made = await call<{ floating_ip: Ip }>('POST', '/os-floating-ips', { pool: 'public' })
  const { id, pool, fixed_ip, instance_id } = made.body.floating_ip
  assert.deepEqual([made.status, pool, fixed_ip, instance_id], [200, 'public', null, null])
  assert.equal((await call('POST', '/os-floating-ips')).status, 200)
  const listed = await call<{ floating_ips: Ip[] }>('GET', '/os-floating-ips')
  assert.equal(listed.body.floating_ips.length, 2)
  const wrong = await call('POST', '/os-floating-ips', { pool: 'none' })
  assert.deepEqual([wrong.status, wrong.body.itemNotFound!.message], [404, 'Floating IP pool not found.'])
  const path = `/os-floating-ips/${id}`
  assert.deepEqual((await call<{ floating_ip: Ip }>('GET', path)).body.floating_ip, made.body.floating_ip)
  assert.equal((await call('GET', path, undefined, 'bob')).status, 404)
  assert.equal((await call('DELETE', path, undefined, 'bob')).status, 404)
  assert.equal((await call('GET', '/os-floating-ips/x')).status, 400)
  assert.equal((await call('DELETE', path)).status, 202)
  assert.equal((await call('GET', path)).status, 404)
  const left = await call<{ floating_ips: Ip[] }>('GET', '/os-floating-ips')
  assert.equal(left.body.floating_ips.length, 1)
})

onEachEngine('a security group is made, renamed, filled with rules and deleted', async database => {
  await using cloud = await computeCloud({ database })
  const call = await stage(cloud)
  type Group = { security_group: { id: string; name: string; description: string; rules: unknown[] } }
  const wish = { security_group: { name: 'web', description: 'for all' } }
  const { id } = (await call<Group>('POST', '/os-security-groups', wish)).body.security_group
  const path = `/os-security-groups/${id}`
  const renamed = await call<Group>('PUT', path, { security_group: { name: 'www', description: 'x' } })
  assert.deepEqual([renamed.body.security_group.name, renamed.body.security_group.description], ['www', 'x'])
  assert.deepEqual((await call<Group>('GET', path)).body.security_group, renamed.body.security_group)
  const listed = await call<{ security_groups: { name: string }[] }>('GET', '/os-security-groups')
  assert.ok(listed.body.security_groups.some(one => one.name === 'www'))
  assert.equal((await call('POST', '/os-security-groups', { security_group: { name: 'x' } })).status, 400)
  assert.equal((await call('PUT', path, wish, 'bob')).status, 404)
  assert.equal((await call('GET', '/os-security-groups/x')).status, 400)

  const rule = { parent_group_id: id, ip_protocol: 'tcp', from_port: 80, to_port: '80', cidr: '10.0.0.0/8' }
  type Rule = { security_group_rule: Record<string, unknown> & { id: string } }
  const add = (more: object) => call<Rule & Message>('POST', '/os-security-group-rules', { security_group_rule: more })
  const { id: ruleId, ...shown } = (await add(rule)).body.security_group_rule
  assert.deepEqual(shown, {
    parent_group_id: id,
    ip_protocol: 'tcp',
    from_port: 80,
    to_port: 80,
    group: {},
    ip_range: { cidr: '10.0.0.0/8' },
  })
  const open = (await add({ parent_group_id: id, group_id: id })).body.security_group_rule
  assert.deepEqual([open.ip_protocol, open.group], [null, { name: 'www', tenant_id: projects.demo }])
  for (const [more, message] of [
    [{}, `This rule already exists in group ${id}`],
    [{ cidr: '10.0.0.0/33' }, '10.0.0.0/33 is not a valid IP network.'],
    [{ ip_protocol: undefined }, 'Not enough parameters to build a valid rule.'],
    [{ ip_protocol: 'sctp' }, 'Invalid IP protocol sctp.'],
    [{ from_port: 'a' }, 'Invalid input received: To and From ports must be integers'],
    [{ from_port: 81 }, 'Invalid port range 81:80. Former value cannot be greater than the later'],
    [{ to_port: 70_000 }, 'Invalid port range 80:70000. Valid TCP ports should be between 1-65535'],
    [{ ip_protocol: 'icmp', from_port: 300 }, 'Invalid port range 300:80. For ICMP, the type:code must be valid'],
  ] as const) {
    const refused = await add({ ...rule, ...more })
    assert.deepEqual([refused.status, refused.body.badRequest?.message], [400, message])
  }
  const nobody = '00000000-0000-4000-8000-000000000001'
  assert.equal((await add({ ...rule, parent_group_id: nobody })).status, 404)
  assert.equal((await call('DELETE', `/os-security-group-rules/${ruleId}`)).status, 202)
  assert.equal((await call('DELETE', `/os-security-group-rules/${ruleId}`)).status, 404)
  assert.equal((await call('DELETE', path)).status, 202)
  assert.equal((await call('DELETE', path)).status, 404)
})
