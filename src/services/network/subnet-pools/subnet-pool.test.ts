/** Subnet pools as users work with them. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { type Caller, networkCloud, refusal } from '../fixtures/cloud.ts'

const post = (who: Caller, values: object) => who.request('POST', 'subnetpools', { subnetpool: values })

onEachEngine('subnets are taken from a pool, and given back', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const pool = await demo.create('subnetpools', {
    name: 'p',
    prefixes: ['10.0.0.0/24', '10.0.1.0/24'],
    default_prefixlen: '25',
    min_prefixlen: 24,
  })
  assert.deepEqual(
    [pool.prefixes, pool.ip_version, pool.min_prefixlen, pool.default_prefixlen, pool.max_prefixlen, pool.shared],
    [['10.0.0.0/23'], 4, 24, 25, 32, false],
  )
  const network = await demo.create('networks', {})
  const take = (values: object) =>
    demo.request('POST', 'subnets', {
      subnet: { network_id: network.id, ip_version: 4, subnetpool_id: pool.id, ...values },
    })
  const first = (await take({})).body.subnet
  assert.deepEqual([first.cidr, first.subnetpool_id, first.gateway_ip], ['10.0.0.0/25', pool.id, '10.0.0.1'])
  assert.equal((await take({ prefixlen: 24 })).body.subnet.cidr, '10.0.1.0/24')
  assert.equal(await refusal(take({ prefixlen: 24 })), '409 SubnetAllocationError')
  assert.equal(await refusal(take({ prefixlen: 23 })), '400 MinPrefixSubnetAllocationError')
  assert.equal(await refusal(take({ cidr: '10.9.0.0/24' })), '409 SubnetAllocationError')
  assert.equal(await refusal(take({ cidr: '10.0.0.64/26' })), '409 SubnetAllocationError')
  assert.equal(await refusal(take({ ip_version: 6 })), '400 InvalidInput')
  assert.equal(await refusal(take({ subnetpool_id: null, cidr: '10.7.0.0/24' })), '400 NetworkSubnetPoolAffinityError')
  assert.equal(await refusal(demo.request('DELETE', `subnetpools/${pool.id}`)), '409 SubnetPoolDeleteError')
  assert.equal(await refusal(other.request('GET', `subnetpools/${pool.id}`)), '404 SubnetPoolNotFound')
  const foreign = await other.create('networks', {})
  const wish = { network_id: foreign.id, ip_version: 4, subnetpool_id: pool.id }
  assert.equal(await refusal(other.request('POST', 'subnets', { subnet: wish })), '404 SubnetPoolNotFound')

  await demo.delete('subnets', first.id)
  assert.equal((await take({ cidr: '10.0.0.64/26' })).body.subnet.cidr, '10.0.0.64/26')
  await demo.delete('networks', network.id)
  await demo.delete('subnetpools', pool.id)
})

onEachEngine('two at once never get the same range', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { id } = await demo.create('subnetpools', { name: 'p', prefixes: ['fd00::/48'], default_prefixlen: 64 })
  const networks = await Promise.all([1, 2, 3, 4].map(() => demo.create('networks', {})))
  const made = await Promise.all(
    networks.map(network => demo.create('subnets', { network_id: network.id, ip_version: 6, subnetpool_id: id })),
  )
  assert.deepEqual(made.map(subnet => subnet.cidr).sort(), [
    'fd00:0:0:1::/64',
    'fd00:0:0:2::/64',
    'fd00:0:0:3::/64',
    'fd00::/64',
  ])
})

onEachEngine('a pool is checked, grown, and its default and sharing are the administrator’s', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const base = { name: 'p', prefixes: ['10.0.0.0/16'] }
  assert.equal(await refusal(post(demo, { ...base, prefixes: [] })), '400 EmptySubnetPoolPrefixList')
  assert.equal(
    await refusal(post(demo, { ...base, prefixes: ['10.0.0.0/8', 'fd00::/8'] })),
    '400 PrefixVersionMismatch',
  )
  assert.equal(await refusal(post(demo, { ...base, prefixes: ['ten'] })), '400 HTTPBadRequest')
  for (const bounds of [{ max_prefixlen: 33 }, { min_prefixlen: 25, max_prefixlen: 24 }, { default_prefixlen: 7 }])
    assert.equal(await refusal(post(demo, { ...base, ...bounds })), '400 IllegalSubnetPoolPrefixBounds')
  assert.equal(await refusal(post(demo, { ...base, shared: true })), '403 PolicyNotAuthorized')
  assert.equal(await refusal(post(demo, { ...base, is_default: true })), '403 PolicyNotAuthorized')

  const pool = await admin.create('subnetpools', {
    ...base,
    shared: true,
    is_default: true,
    default_prefixlen: 24,
    default_quota: 256,
  })
  assert.equal(await refusal(post(admin, { ...base, is_default: true })), '400 InvalidInput')
  assert.equal((await demo.show('subnetpools', pool.id)).id, pool.id)
  assert.equal(
    await refusal(demo.request('PUT', `subnetpools/${pool.id}`, { subnetpool: { name: 'x' } })),
    '404 HTTPNotFound',
  )
  const network = await demo.create('networks', {})
  const wish = { network_id: network.id, ip_version: 4, use_default_subnetpool: true }
  assert.equal((await demo.create('subnets', wish)).cidr, '10.0.0.0/24')
  assert.equal(await refusal(demo.request('POST', 'subnets', { subnet: wish })), '409 SubnetPoolQuotaExceeded')
  const second = await other.create('networks', {})
  assert.equal((await other.create('subnets', { ...wish, network_id: second.id })).cidr, '10.0.1.0/24')
  const sixth = { ...wish, ip_version: 6 }
  assert.equal(await refusal(demo.request('POST', 'subnets', { subnet: sixth })), '400 BadRequest')

  const change = (verb: string, prefixes: string[]) =>
    admin.request('PUT', `subnetpools/${pool.id}/${verb}_prefixes`, { prefixes })
  assert.deepEqual((await change('add', ['10.1.0.0/16'])).body, { prefixes: ['10.0.0.0/15'] })
  assert.deepEqual((await change('remove', ['10.0.128.0/17'])).body, { prefixes: ['10.0.0.0/17', '10.1.0.0/16'] })
  assert.equal(await refusal(change('remove', ['10.0.1.0/25'])), '400 IllegalSubnetPoolUpdate')
  const shrunk = { subnetpool: { prefixes: ['10.0.0.0/17'] } }
  assert.equal(await refusal(admin.request('PUT', `subnetpools/${pool.id}`, shrunk)), '400 IllegalSubnetPoolUpdate')
})
