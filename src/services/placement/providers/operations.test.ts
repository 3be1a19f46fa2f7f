/** Resource providers over HTTP: their shapes by version, filters, trees that move, names and generations. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import { adminOf, type Client, makeProvider, uuidOf } from '../fixtures/client.ts'

async function names(admin: Client, query: string, version?: string): Promise<string[]> {
  const body = await admin.expect(200, 'GET', `/resource_providers?${query}`, undefined, version)
  return body.resource_providers.map((provider: { name: string }) => provider.name)
}

onEachEngine('a provider is made, shown, renamed and deleted', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const made = await admin('POST', '/resource_providers', { name: 'one' })
  assert.equal(made.status, 200)
  const path = `/resource_providers/${made.body.uuid}`
  assert.equal(made.headers.location, `http://cloud.test/placement${path}`)
  assert.equal(made.headers['cache-control'], 'no-cache')
  assert.ok(Date.parse(made.headers['last-modified']!) > 0)
  assert.deepEqual(await admin.expect(200, 'GET', path), {
    uuid: made.body.uuid,
    name: 'one',
    generation: 0,
    parent_provider_uuid: null,
    root_provider_uuid: made.body.uuid,
    links: ['', '/inventories', '/usages', '/aggregates', '/traits', '/allocations'].map(rel => ({
      rel: rel.slice(1) || 'self',
      href: `/placement${path}${rel}`,
    })),
  })
  const old = await admin('GET', path, undefined, '1.0')
  assert.deepEqual(Object.keys(old.body), ['uuid', 'name', 'generation', 'links'])
  assert.equal(old.body.links.length, 3)
  assert.equal(old.headers['last-modified'], undefined)
  assert.equal(old.headers['openstack-api-version'], 'placement 1.0')

  const before20 = await admin('POST', '/resource_providers', { name: 'two' }, '1.19')
  assert.deepEqual([before20.status, before20.body], [201, ''])
  const taken = await admin.expect(409, 'POST', '/resource_providers', { name: 'two' })
  assert.equal(taken.errors[0].code, 'placement.duplicate_name')
  assert.match(taken.errors[0].detail, /Conflicting resource provider name: two already exists/)
  await admin.expect(409, 'PUT', path, { name: 'two' })
  assert.equal((await admin.expect(200, 'PUT', path, { name: 'three' })).generation, 0)
  await admin.expect(204, 'DELETE', path)
  const gone = await admin.expect(404, 'GET', path)
  assert.match(gone.errors[0].detail, /No resource provider with uuid .* found/)
  await admin.expect(404, 'DELETE', path)
})

onEachEngine('providers are found by what they have', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await makeProvider(admin, 1, { VCPU: { total: 4 } })
  await makeProvider(admin, 2, { VCPU: { total: 8, step_size: 2 } })
  await makeProvider(admin, 3, { DISK_GB: { total: 100 } }, 2)
  await admin.expect(200, 'PUT', `/resource_providers/${uuidOf(1)}/aggregates`, [uuidOf(90)], '1.18')
  await admin.expect(200, 'PUT', `/resource_providers/${uuidOf(3)}/aggregates`, [uuidOf(90), uuidOf(91)], '1.18')
  await admin.expect(200, 'PUT', `/resource_providers/${uuidOf(1)}/traits`, {
    traits: ['HW_CPU_X86_AVX2', 'HW_CPU_X86_VMX'],
    resource_provider_generation: 1,
  })
  for (const [query, expected] of [
    ['', [1, 2, 3]],
    ['name=provider-2', [2]],
    [`uuid=${uuidOf(3)}`, [3]],
    [`uuid=${uuidOf(3).replaceAll('-', '')}`, [3]],
    [`in_tree=${uuidOf(3)}`, [2, 3]],
    [`in_tree=${uuidOf(77)}`, []],
    ['resources=VCPU:4', [1, 2]],
    ['resources=VCPU:3', [1]],
    ['resources=VCPU:4,DISK_GB:1', []],
    ['required=HW_CPU_X86_AVX2', [1]],
    ['required=!HW_CPU_X86_AVX2', [2, 3]],
    ['required=in:HW_CPU_X86_AVX2,HW_CPU_X86_SGX&required=HW_CPU_X86_VMX', [1]],
    [`member_of=${uuidOf(90)}`, [1, 3]],
    [`member_of=${uuidOf(90)}&member_of=in:${uuidOf(91)},${uuidOf(92)}`, [3]],
    [`member_of=!${uuidOf(91)}`, [1, 2]],
  ] as const)
    assert.deepEqual(
      await names(admin, query),
      expected.map(n => `provider-${n}`),
      query,
    )
  for (const [query, message, version] of [
    ['colour=red', /Additional properties are not allowed/],
    ['uuid=x', /is not a 'uuid'/],
    ['resources=VCPU', /Badly formed resources parameter/],
    ['resources=VCPU:many', /expected positive integer amount. Got: many/],
    ['resources=VCPU:0', /requires amount >= 1/],
    ['resources=GOLD:1', /No such resource class GOLD/],
    ['required=GOLD', /Invalid trait\(s\) in "required" parameter: No such trait\(s\): GOLD/],
    ['required=', /Got an empty trait in/],
    ['member_of=a,b', /must be prefixed with the 'in:'/],
    ['member_of=x', /to contain valid UUID\(s\). Got: x/],
    [`in_tree=${uuidOf(1)}`, /Additional properties/, '1.13'],
    ['required=HW_CPU_X86_AVX2', /Additional properties/, '1.17'],
    ['required=!HW_CPU_X86_AVX2', /parameter value of the form: HW_CPU_X86_VMX,CUSTOM_MAGIC. Got/, '1.21'],
    ['required=in:HW_CPU_X86_AVX2', /only supported since microversion 1.39/, '1.38'],
    [`member_of=${uuidOf(90)}&member_of=${uuidOf(91)}`, /Multiple member_of parameters/, '1.23'],
    [`member_of=!${uuidOf(91)}`, /Forbidden member_of parameters/, '1.31'],
  ] as const) {
    const refused = await admin.expect(400, 'GET', `/resource_providers?${query}`, undefined, version)
    assert.match(refused.errors[0].detail, message, query)
  }
})

onEachEngine('a subtree moves with its root, and never into itself', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  for (const [n, parent] of [[1], [2], [3, 2], [4, 3], [5, 4]] as const) await makeProvider(admin, n, {}, parent)
  const moveTo = (n: number, parent: number | null, version?: string) =>
    admin(
      'PUT',
      `/resource_providers/${uuidOf(n)}`,
      { name: `provider-${n}`, parent_provider_uuid: parent && uuidOf(parent) },
      version,
    )
  const refused = await moveTo(3, 5)
  assert.equal(refused.status, 400)
  assert.match(refused.body.errors[0].detail, /creating loop in the provider tree is not allowed/)
  assert.equal((await moveTo(3, 3)).status, 400)
  assert.equal((await moveTo(3, 99)).status, 400)
  assert.match((await moveTo(3, 1, '1.36')).body.errors[0].detail, /re-parenting a provider is not currently allowed/)
  assert.match((await moveTo(3, null, '1.36')).body.errors[0].detail, /un-parenting a provider/)
  assert.equal((await moveTo(3, 1)).body.root_provider_uuid, uuidOf(1))
  assert.deepEqual(
    await names(admin, `in_tree=${uuidOf(5)}`),
    [1, 3, 4, 5].map(n => `provider-${n}`),
  )
  assert.equal((await moveTo(4, null)).body.parent_provider_uuid, null)
  assert.deepEqual(await names(admin, `in_tree=${uuidOf(5)}`), ['provider-4', 'provider-5'])
  assert.equal((await moveTo(2, 4, '1.14')).status, 200, 'a root may be put below another at any version')
  const parent = await admin.expect(409, 'DELETE', `/resource_providers/${uuidOf(4)}`)
  assert.equal(parent.errors[0].code, 'placement.resource_provider.cannot_delete_parent')
})

onEachEngine('moves at the same time make no loop and leave no stale root', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  for (const n of [1, 2, 3, 4]) await makeProvider(admin, n, {})
  const below = (n: number, parent: number) =>
    admin('PUT', `/resource_providers/${uuidOf(n)}`, { name: `provider-${n}`, parent_provider_uuid: uuidOf(parent) })
  for (let round = 0; round < 4; round++)
    await Promise.all([
      below(1, 2),
      below(2, 3),
      below(3, 4),
      below(4, 1),
      admin('POST', '/resource_providers', { name: `new-${round}`, parent_provider_uuid: uuidOf(1 + round) }),
    ])
  const { resource_providers: all } = await admin.expect(200, 'GET', '/resource_providers')
  type Shown = { uuid: string; parent_provider_uuid: string | null; root_provider_uuid: string }
  const byId = new Map((all as Shown[]).map(provider => [provider.uuid, provider]))
  for (const provider of byId.values()) {
    let top = provider
    for (let steps = 0; top.parent_provider_uuid; steps++) {
      assert.ok(steps < byId.size, 'a loop')
      top = byId.get(top.parent_provider_uuid)!
    }
    assert.equal(provider.root_provider_uuid, top.uuid)
  }
})

onEachEngine('hostile names and ids are refused, not stored', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  for (const body of [
    {},
    [],
    { name: '' },
    { name: 7 },
    { name: 'a'.repeat(201) },
    { name: 'nul\0' },
    { name: 'a', uuid: '../../etc' },
    { name: 'a', parent_provider_uuid: 'x' },
    { name: 'a', parent_provider_uuid: uuidOf(99) },
    { name: 'a', uuid: uuidOf(1), parent_provider_uuid: uuidOf(1) },
    { name: 'a', root_provider_uuid: uuidOf(1) },
    { name: 'a', generation: 9 },
  ])
    await admin.expect(400, 'POST', '/resource_providers', body)
  await admin.expect(400, 'POST', '/resource_providers', { name: 'a', parent_provider_uuid: null }, '1.13')
  assert.deepEqual(await names(admin, ''), [])
  const odd = "'; drop table placement_providers; --"
  await admin.expect(200, 'POST', '/resource_providers', { name: odd })
  assert.deepEqual(await names(admin, `name=${encodeURIComponent(odd)}`), [odd])
  for (const id of ['%00', '..%2f', "'%20or%201=1", 'A'.repeat(400)])
    await admin.expect(404, 'GET', `/resource_providers/${id}`)
})
