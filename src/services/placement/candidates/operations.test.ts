/** Allocation candidates over HTTP: trees, sharing, groups, what each version shows, and requests that ask for too much. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import { adminOf, type Client, consumerBody, type Json, makeProvider, uuidOf } from '../fixtures/client.ts'

const find = (admin: Client, query: string, version?: string): Promise<Json> =>
  admin.expect(200, 'GET', `/allocation_candidates?${query}`, undefined, version)

async function tag(admin: Client, n: number, traits: string[], aggregates: number[] = []): Promise<void> {
  const path = `/resource_providers/${uuidOf(n)}`
  for (const name of traits.filter(name => name.startsWith('CUSTOM_'))) await admin('PUT', `/traits/${name}`)
  const { generation } = await admin.expect(200, 'GET', path)
  await admin.expect(200, 'PUT', `${path}/traits`, { traits, resource_provider_generation: generation })
  await admin.expect(200, 'PUT', `${path}/aggregates`, aggregates.map(uuidOf), '1.18')
}

/** Two hosts with two network cards each, and a pool of disks that both use. */
async function makeHosts(admin: Client): Promise<void> {
  for (const host of [1, 2]) {
    await makeProvider(admin, host, { VCPU: { total: 8 }, MEMORY_MB: { total: 1024 } })
    for (const card of [1, 2]) {
      await makeProvider(admin, host * 10 + card, { SRIOV_NET_VF: { total: 4 } }, host)
      await tag(admin, host * 10 + card, [`CUSTOM_NET${card}`])
    }
    await tag(admin, host, host === 1 ? ['HW_CPU_X86_AVX2'] : [], [90])
  }
  await makeProvider(admin, 3, { DISK_GB: { total: 100 } })
  await tag(admin, 3, ['MISC_SHARES_VIA_AGGREGATE'], [90])
}

onEachEngine('what a pool shares is told of who shares it, and of nobody else', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await makeHosts(admin)
  await makeProvider(admin, 4, { VCPU: { total: 4 } })
  const refused = async (query: string) => {
    const { refusals } = await admin.expect(200, 'GET', `/allocation_candidates/nephos-explain?resources=${query}`)
    return refusals.map((one: Json) => `${one.name} ${one.constraint} ${one.had}`).toSorted()
  }
  assert.deepEqual(await refused('VCPU:1,DISK_GB:10'), ['provider-4 DISK_GB no inventory'])
  // All of it is the pool's, so the way is the same from each tree, and found in one of them only.
  assert.deepEqual(await refused('DISK_GB:10'), ['provider-4 DISK_GB no inventory'])
})

onEachEngine('disks of a shared pool go with the vCPUs of each host (S-100)', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await makeHosts(admin)
  const [one, pool] = [uuidOf(1), uuidOf(3)]
  const found = await find(admin, 'resources=VCPU:2,DISK_GB:10&required=HW_CPU_X86_AVX2')
  assert.deepEqual(found.allocation_requests, [
    {
      allocations: { [one]: { resources: { VCPU: 2 } }, [pool]: { resources: { DISK_GB: 10 } } },
      mappings: { '': [one, pool] },
    },
  ])
  assert.deepEqual(Object.keys(found.provider_summaries).sort(), [1, 3, 11, 12].map(uuidOf))
  assert.deepEqual(found.provider_summaries[one], {
    resources: { VCPU: { capacity: 8, used: 0 }, MEMORY_MB: { capacity: 1024, used: 0 } },
    traits: ['HW_CPU_X86_AVX2'],
    parent_provider_uuid: null,
    root_provider_uuid: one,
  })
  // What it says can be sent back as it is.
  const [request] = found.allocation_requests
  const owner = { project_id: 'p1', user_id: 'u1', consumer_generation: null, consumer_type: 'INSTANCE' }
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, { ...request, ...owner })
  assert.deepEqual((await admin.expect(200, 'GET', `/resource_providers/${pool}/usages`)).usages, { DISK_GB: 10 })
  assert.equal((await find(admin, 'resources=DISK_GB:91')).allocation_requests.length, 0)
  assert.equal((await find(admin, 'resources=DISK_GB:90')).allocation_requests.length, 1, 'counted once')

  const old = await find(admin, 'resources=VCPU:2,DISK_GB:10', '1.11')
  assert.deepEqual(old.allocation_requests[0].allocations, [
    { resource_provider: { uuid: one }, resources: { VCPU: 2 } },
    { resource_provider: { uuid: pool }, resources: { DISK_GB: 10 } },
  ])
  assert.deepEqual(old.provider_summaries[one], { resources: { VCPU: { capacity: 8, used: 2 } } })
  const flat = await find(admin, 'resources=VCPU:1,SRIOV_NET_VF:1', '1.28')
  assert.deepEqual(flat.allocation_requests, [], 'before 1.29 no two providers of a tree')
})

onEachEngine('groups choose their own providers, apart or together', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await makeHosts(admin)
  const cards = async (query: string) => {
    const { allocation_requests: all } = await find(admin, query)
    return all.map((one: Json) => ['_a', '_b'].map(group => Number(one.mappings[group]?.[0].slice(-2)))).sort()
  }
  const two = 'resources=VCPU:1&resources_a=SRIOV_NET_VF:3&resources_b=SRIOV_NET_VF:1'
  assert.deepEqual(await cards(`${two}&group_policy=isolate&in_tree=${uuidOf(1)}`), [
    [11, 12],
    [12, 11],
  ])
  assert.equal((await cards(`${two}&group_policy=none&in_tree=${uuidOf(1)}`)).length, 4)
  const more = 'resources=VCPU:1&resources_a=SRIOV_NET_VF:3&resources_b=SRIOV_NET_VF:2'
  assert.equal((await cards(`${more}&group_policy=none`)).length, 4, 'five are more than a card has')
  assert.deepEqual(await cards(`${two}&group_policy=none&required_a=CUSTOM_NET1&required_b=CUSTOM_NET2`), [
    [11, 12],
    [21, 22],
  ])
  const subtree = `resources_a=SRIOV_NET_VF:1&resources_b=SRIOV_NET_VF:1&group_policy=none&same_subtree=_a,_b`
  assert.equal((await cards(subtree)).length, 4, 'two cards are below none of the two')
  const anchored = `${subtree.replace('_a,_b', '_a,_b,_c')}&required_c=HW_CPU_X86_AVX2`
  assert.equal((await cards(anchored)).length, 4, 'any two cards of the host that is named by its trait')
  assert.equal((await find(admin, 'resources=VCPU:1&root_required=!HW_CPU_X86_AVX2')).allocation_requests.length, 1)
  assert.equal((await find(admin, 'resources=DISK_GB:1&root_required=HW_CPU_X86_AVX2')).allocation_requests.length, 1)
  assert.equal((await find(admin, 'resources_a=SRIOV_NET_VF:1&limit=3')).allocation_requests.length, 3)
})

onEachEngine('requests that contradict themselves are refused in words', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await makeHosts(admin)
  for (const [query, message, version] of [
    ['', /There must be at least one resources/],
    ['', /At least one request group/, '1.35'],
    ['', /'resources' is a required property/, '1.24'],
    ['resources=VCPU:1&colour=red', /does not match any of the regexes/],
    ['resources=GOLD:1', /Invalid resource class in resources parameter: No such resource class GOLD/],
    ['resources=VCPU:1&required=GOLD', /No such trait\(s\): GOLD/],
    ['resources=VCPU:1&root_required=GOLD', /No such trait\(s\): GOLD/],
    ['resources=VCPU:1&required=HW_CPU_X86_AVX2,!HW_CPU_X86_AVX2', /Conflicting required and forbidden traits/],
    ['resources=VCPU:1&limit=0', /does not match/],
    ['resources=VCPU:1&in_tree=x', /Expected 'in_tree' parameter to be a format of uuid/],
    ['resources1=VCPU:1&resources2=VCPU:1', /The "group_policy" parameter is required/],
    ['resources1=VCPU:1&resources2=VCPU:1&group_policy=some', /is not one of \['none', 'isolate'\]/],
    ['resources=VCPU:1&required_a=HW_CPU_X86_AVX2', /should be specified in `same_subtree`/],
    ['resources_a=VCPU:1&same_subtree=_a,_b', /Real suffixes should be specified/],
    ['resources_a=VCPU:1', /does not match any of the regexes/, '1.32'],
    ['resources=VCPU:1&required1=HW_CPU_X86_AVX2', /orphaned traits keys: required1/, '1.35'],
    ['resources=VCPU:1&root_required=HW_CPU_X86_AVX2&root_required=HW_CPU_X86_VMX', /may be specified only once/],
  ] as const) {
    const refused = await admin.expect(400, 'GET', `/allocation_candidates?${query}`, undefined, version)
    assert.match(refused.errors[0].detail, message, query)
  }
  await admin.expect(404, 'GET', '/allocation_candidates?resources=VCPU:1', undefined, '1.9')
  const tenant = await cloud.project('tenant')
  const asTenant = await cloud.request('GET', '/placement/allocation_candidates?resources=VCPU:1', {
    token: tenant.token,
    headers: { 'openstack-api-version': 'placement 1.39' },
  })
  assert.equal(asTenant.status, 403)
})

onEachEngine('requests with more ways than there are atoms are answered all the same', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await makeProvider(admin, 1, { VCPU: { total: 8 } })
  for (let n = 10; n < 22; n++) await makeProvider(admin, n, { SRIOV_NET_VF: { total: 4 } }, 1)
  const groups = (n: number) => Array.from({ length: n }, (_, i) => `resources_${i}=SRIOV_NET_VF:1`).join('&')
  const none = await find(admin, `${groups(13)}&group_policy=isolate`)
  assert.deepEqual(none.allocation_requests, [], 'thirteen groups, twelve cards')
  const some = await find(admin, `${groups(12)}&group_policy=none&limit=5`)
  assert.equal(some.allocation_requests.length, 5)
  const many = await find(admin, `${groups(12)}&group_policy=none`)
  assert.equal(many.allocation_requests.length, 1000, 'so many a tree, and no more')
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, consumerBody({ [uuidOf(1)]: { VCPU: 1 } }))
})

onEachEngine('more candidates than an operator wants are not given, and of many any', async database => {
  const settings = ['placement.max_allocation_candidates=5', 'placement.randomize_allocation_candidates=true']
  await using cloud = await testCloud({ database, set: settings })
  const admin = await adminOf(cloud)
  for (let n = 1; n <= 12; n++) await makeProvider(admin, n, { VCPU: { total: 8 } })
  const seen = new Set<string>()
  for (let i = 0; i < 40; i++) {
    const { allocation_requests: some } = await find(admin, 'resources=VCPU:1')
    assert.equal(some.length, 5)
    for (const one of some) seen.add(Object.keys(one.allocations)[0]!)
  }
  assert.equal(seen.size, 12)
  assert.equal((await find(admin, 'resources=VCPU:1&limit=3')).allocation_requests.length, 3)
})
