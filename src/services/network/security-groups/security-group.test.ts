/** Security groups and their rules as users work with them. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { type Caller, networkCloud, networkWithSubnet, refusal, type Shown } from '../fixtures/cloud.ts'

const post = (who: Caller, values: object) =>
  who.request('POST', 'security-group-rules', { security_group_rule: values })
const kinds = (rules: Shown[]) =>
  rules.map(rule => `${rule.direction} ${rule.ethertype} ${rule.remote_group_id ? 'group' : 'any'}`).sort()

onEachEngine('every project has a default group that lets its members talk', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const groups = await demo.list('security-groups')
  assert.equal(groups.length, 1)
  const [group] = groups
  assert.deepEqual([group.name, group.stateful, group.shared, group.project_id], ['default', true, false, 'p-demo'])
  assert.deepEqual(kinds(group.security_group_rules), [
    'egress IPv4 any',
    'egress IPv6 any',
    'ingress IPv4 group',
    'ingress IPv6 group',
  ])
  assert.notEqual((await other.list('security-groups'))[0].id, group.id)
  const named = (method: string, path: string, name: string) =>
    refusal(demo.request(method, path, { security_group: { name } }))
  assert.equal(await named('POST', 'security-groups', 'default'), '409 SecurityGroupDefaultAlreadyExists')
  assert.equal(await named('PUT', `security-groups/${group.id}`, 'mine'), '409 SecurityGroupCannotUpdateDefault')
  assert.equal(
    await refusal(demo.request('DELETE', `security-groups/${group.id}`)),
    '409 SecurityGroupCannotRemoveDefault',
  )
  const described = await demo.update('security-groups', group.id, { description: 'ours' })
  assert.deepEqual([described.name, described.description], ['default', 'ours'])
})

onEachEngine('two that look for the default group at once find the same', async database => {
  await using cloud = await networkCloud({ database })
  const lists = await Promise.all([1, 2, 3].map(() => cloud.demo.list('security-groups')))
  assert.equal(new Set(lists.map(list => list[0].id)).size, 1)
  assert.deepEqual(
    lists.map(list => list.length),
    [1, 1, 1],
  )
})

onEachEngine('a group, its rules, and the ports that carry it', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const web = await demo.create('security-groups', { name: 'web', description: 'http' })
  assert.deepEqual(kinds(web.security_group_rules), ['egress IPv4 any', 'egress IPv6 any'])
  const rule = await demo.create('security-group-rules', {
    security_group_id: web.id,
    direction: 'ingress',
    protocol: 'tcp',
    port_range_min: '80',
    port_range_max: 81,
    remote_ip_prefix: '10.0.0.7/8',
  })
  assert.deepEqual(
    [rule.ethertype, rule.port_range_min, rule.remote_ip_prefix, rule.normalized_cidr, rule.belongs_to_default_sg],
    ['IPv4', 80, '10.0.0.7/8', '10.0.0.0/8', false],
  )
  assert.equal((await demo.show('security-groups', web.id)).revision_number, 2)
  const { network } = await networkWithSubnet(demo)
  const port = await demo.create('ports', { network_id: network.id, security_groups: [web.id] })
  assert.deepEqual(
    (await demo.list('ports', `security_groups=${web.id}`)).map(one => one.id),
    [port.id],
  )
  assert.equal(await refusal(demo.request('DELETE', `security-groups/${web.id}`)), '409 SecurityGroupInUse')
  const stateless = { security_group: { stateful: false } }
  assert.equal(await refusal(demo.request('PUT', `security-groups/${web.id}`, stateless)), '409 SecurityGroupInUse')
  await demo.update('ports', port.id, { security_groups: [] })
  assert.equal((await demo.update('security-groups', web.id, { stateful: false })).stateful, false)
  await demo.delete('security-group-rules', rule.id)
  await demo.delete('security-groups', web.id)
  assert.deepEqual(await demo.list('security-group-rules', `security_group_id=${web.id}`), [])
})

onEachEngine('rules that make no sense are refused with the word for it', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const group = await demo.create('security-groups', { name: 'g' })
  const foreign = await other.create('security-groups', { name: 'f' })
  const base = { security_group_id: group.id, direction: 'ingress' }
  const expected: [values: object, error: string][] = [
    [{ protocol: 'tcp', port_range_min: 90, port_range_max: 80 }, '400 SecurityGroupInvalidPortRange'],
    [{ port_range_min: 80, port_range_max: 80 }, '400 SecurityGroupProtocolRequiredWithPorts'],
    [{ protocol: 'tcp', port_range_min: 0, port_range_max: 80 }, '400 SecurityGroupInvalidPortValue'],
    [{ protocol: 'tcp', port_range_min: 1, port_range_max: 70000 }, '400 SecurityGroupInvalidPortValue'],
    [{ protocol: 'gre', port_range_min: 1, port_range_max: 2 }, '400 SecurityGroupInvalidProtocolForPort'],
    [{ protocol: 'icmp', port_range_min: 300 }, '400 SecurityGroupInvalidIcmpValue'],
    [{ protocol: 'icmp', port_range_max: 3 }, '400 SecurityGroupMissingIcmpType'],
    [{ protocol: 'bogus' }, '400 SecurityGroupRuleInvalidProtocol'],
    [{ protocol: '256' }, '400 SecurityGroupRuleInvalidProtocol'],
    [{ ethertype: 'IPX' }, '400 SecurityGroupRuleInvalidEtherType'],
    [{ protocol: 'ipv6-icmp' }, '400 SecurityGroupEthertypeConflictWithProtocol'],
    [{ remote_ip_prefix: '::/0' }, '400 SecurityGroupRuleParameterConflict'],
    [{ remote_ip_prefix: '10.0.0.0/33' }, '400 InvalidCIDR'],
    [{ remote_ip_prefix: '10.0.0.0/8', remote_group_id: group.id }, '400 SecurityGroupMultipleRemoteEntites'],
    [{ direction: 'sideways' }, '400 HTTPBadRequest'],
    [{ remote_group_id: foreign.id }, '404 SecurityGroupNotFound'],
    [{ security_group_id: foreign.id }, '404 SecurityGroupNotFound'],
  ]
  for (const [values, error] of expected)
    assert.equal(await refusal(post(demo, { ...base, ...values })), error, JSON.stringify(values))
  assert.equal((await post(demo, { ...base, protocol: 'tcp' })).status, 201)
  assert.equal(await refusal(post(demo, { ...base, protocol: 6 })), '409 SecurityGroupRuleExists')
  assert.equal(await refusal(post(demo, { ...base, protocol: 'TCP' })), '409 SecurityGroupRuleExists')
  const rule = { security_group_rule: { ...base, protocol: 'icmp', port_range_min: 1, port_range_max: 256 } }
  assert.equal(
    (await demo.request('POST', 'security-group-rules', rule)).body.NeutronError.message,
    'Invalid value for ICMP code (port_range_max) 256. It must be 0 to 255.',
  )
})

onEachEngine('rules made at once are all made or none', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const group = await demo.create('security-groups', { name: 'g' })
  const rule = (port: number) => ({
    security_group_id: group.id,
    direction: 'ingress',
    protocol: 'tcp',
    port_range_min: port,
    port_range_max: port,
  })
  const bulk = (rules: object[]) => demo.request('POST', 'security-group-rules', { security_group_rules: rules })
  assert.equal(await refusal(bulk([rule(1), rule(1)])), '409 DuplicateSecurityGroupRuleInPost')
  assert.equal(await refusal(bulk([rule(1), { ...rule(2), port_range_max: 1 }])), '400 SecurityGroupInvalidPortRange')
  assert.equal((await demo.list('security-group-rules', `security_group_id=${group.id}`)).length, 2)
  assert.equal((await bulk([rule(1), rule(2)])).body.security_group_rules.length, 2)
})
