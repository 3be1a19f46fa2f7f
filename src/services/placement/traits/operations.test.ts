/** Traits, resource classes and aggregates over HTTP. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import { adminOf, consumerBody, makeProvider, uuidOf } from '../fixtures/client.ts'

onEachEngine('traits are one set of names, to which clouds add their own (S-101)', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const path = `/resource_providers/${await makeProvider(admin, 1, {})}/traits`
  const made = await admin('PUT', '/traits/CUSTOM_GOLD')
  assert.deepEqual([made.status, made.headers.location], [201, 'http://cloud.test/placement/traits/CUSTOM_GOLD'])
  await admin.expect(204, 'PUT', '/traits/CUSTOM_GOLD')
  await admin.expect(204, 'GET', '/traits/CUSTOM_GOLD')
  await admin.expect(204, 'GET', '/traits/HW_CPU_X86_AVX2')
  await admin.expect(404, 'GET', '/traits/HW_CPU_X86_AVX3')
  for (const name of ['GOLD', 'CUSTOM_', 'CUSTOM_gold', `CUSTOM_${'A'.repeat(249)}`])
    await admin.expect(400, 'PUT', `/traits/${name}`)
  const all = (await admin.expect(200, 'GET', '/traits')).traits
  assert.ok(all.includes('HW_CPU_X86_AVX2') && all.includes('CUSTOM_GOLD') && all.length > 300)
  const put = (traits: string[], seen: number) => admin('PUT', path, { traits, resource_provider_generation: seen })
  assert.equal((await put(['HW_CPU_X86_AVX3'], 1)).status, 400)
  assert.deepEqual((await put(['CUSTOM_GOLD', 'HW_CPU_X86_AVX2'], 1)).body, {
    traits: ['CUSTOM_GOLD', 'HW_CPU_X86_AVX2'],
    resource_provider_generation: 2,
  })
  assert.equal((await put(['HW_CPU_X86_AVX2', 'CUSTOM_GOLD'], 2)).body.resource_provider_generation, 2)
  assert.equal((await put([], 1)).status, 409)
  for (const [query, expected] of [
    ['associated=true', ['CUSTOM_GOLD', 'HW_CPU_X86_AVX2']],
    ['associated=False&name=in:CUSTOM_GOLD,STORAGE_DISK_SSD,NONE', ['STORAGE_DISK_SSD']],
    ['name=startswith:CUSTOM_', ['CUSTOM_GOLD']],
  ] as const)
    assert.deepEqual((await admin.expect(200, 'GET', `/traits?${query}`)).traits, expected)
  for (const query of ['name=CUSTOM_GOLD', 'associated=perhaps', 'colour=red'])
    await admin.expect(400, 'GET', `/traits?${query}`)
  await admin.expect(409, 'DELETE', '/traits/CUSTOM_GOLD')
  await admin.expect(400, 'DELETE', '/traits/HW_CPU_X86_AVX2')
  await admin.expect(204, 'DELETE', path)
  assert.deepEqual(await admin.expect(200, 'GET', path), { traits: [], resource_provider_generation: 3 })
  await admin.expect(204, 'DELETE', '/traits/CUSTOM_GOLD')
  await admin.expect(404, 'DELETE', '/traits/CUSTOM_GOLD')
  await admin.expect(404, 'GET', '/traits', undefined, '1.5')
})

onEachEngine('a trait that is being deleted is given to nobody', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const path = `/resource_providers/${await makeProvider(admin, 1, {})}/traits`
  for (let round = 0; round < 5; round++) {
    await admin('PUT', '/traits/CUSTOM_GOLD')
    const { resource_provider_generation } = await admin.expect(200, 'GET', path)
    const [given, deleted] = await Promise.all([
      admin('PUT', path, { traits: ['CUSTOM_GOLD'], resource_provider_generation }),
      admin('DELETE', '/traits/CUSTOM_GOLD'),
    ])
    assert.deepEqual(given.status === 200 ? [200, 409] : [400, 204], [given.status, deleted.status])
    await admin.expect(204, 'DELETE', path)
  }
})

onEachEngine('resource classes: standard ones stay, custom ones come, are renamed and go', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const made = await admin('POST', '/resource_classes', { name: 'CUSTOM_GOLD' })
  const location = 'http://cloud.test/placement/resource_classes/CUSTOM_GOLD'
  assert.deepEqual([made.status, made.headers.location], [201, location])
  await admin.expect(409, 'POST', '/resource_classes', { name: 'CUSTOM_GOLD' })
  await admin.expect(400, 'POST', '/resource_classes', { name: 'GOLD' })
  await admin.expect(204, 'PUT', '/resource_classes/CUSTOM_GOLD')
  await admin.expect(201, 'PUT', '/resource_classes/CUSTOM_SILVER')
  await admin.expect(400, 'PUT', '/resource_classes/VCPU')
  const { resource_classes: all } = await admin.expect(200, 'GET', '/resource_classes')
  assert.deepEqual([all[0].name, all.at(-1).name, all.length], ['VCPU', 'CUSTOM_SILVER', 23])
  assert.deepEqual(await admin.expect(200, 'GET', '/resource_classes/VCPU'), {
    name: 'VCPU',
    links: [{ rel: 'self', href: '/placement/resource_classes/VCPU' }],
  })

  const host = await makeProvider(admin, 1, { CUSTOM_GOLD: { total: 4 } })
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, consumerBody({ [host]: { CUSTOM_GOLD: 3 } }))
  await admin.expect(409, 'DELETE', '/resource_classes/CUSTOM_GOLD')
  await admin.expect(409, 'PUT', '/resource_classes/CUSTOM_GOLD', { name: 'CUSTOM_SILVER' }, '1.6')
  await admin.expect(400, 'PUT', '/resource_classes/VCPU', { name: 'CUSTOM_VCPU' }, '1.6')
  await admin.expect(404, 'PUT', '/resource_classes/CUSTOM_LEAD', { name: 'CUSTOM_TIN' }, '1.6')
  await admin.expect(200, 'PUT', '/resource_classes/CUSTOM_GOLD', { name: 'CUSTOM_BRASS' }, '1.6')
  const usages = await admin.expect(200, 'GET', `/resource_providers/${host}/usages`)
  assert.deepEqual(usages.usages, { CUSTOM_BRASS: 3 })
  const found = await admin.expect(200, 'GET', '/allocation_candidates?resources=CUSTOM_BRASS:1')
  assert.equal(found.allocation_requests.length, 1)
  await admin.expect(204, 'DELETE', `/allocations/${uuidOf(100)}`)
  await admin.expect(204, 'DELETE', `/resource_providers/${host}/inventories`)
  await admin.expect(204, 'DELETE', '/resource_classes/CUSTOM_BRASS')
  await admin.expect(404, 'DELETE', '/resource_classes/CUSTOM_BRASS')
  await admin.expect(400, 'DELETE', '/resource_classes/VCPU')
})

onEachEngine('aggregates are whatever ids providers share', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const path = `/resource_providers/${await makeProvider(admin, 1, {})}/aggregates`
  assert.deepEqual(await admin.expect(200, 'PUT', path, [uuidOf(90)], '1.18'), { aggregates: [uuidOf(90)] })
  assert.deepEqual(await admin.expect(200, 'GET', path), {
    aggregates: [uuidOf(90)],
    resource_provider_generation: 1,
  })
  const both = { aggregates: [uuidOf(91), uuidOf(90)], resource_provider_generation: 1 }
  assert.deepEqual(await admin.expect(200, 'PUT', path, both), { ...both, resource_provider_generation: 2 })
  await admin.expect(409, 'PUT', path, both)
  await admin.expect(400, 'PUT', path, { ...both, aggregates: [uuidOf(90), uuidOf(90)] })
  await admin.expect(400, 'PUT', path, { ...both, aggregates: ['x'] })
  await admin.expect(400, 'PUT', path, [uuidOf(90)])
  await admin.expect(404, 'GET', path, undefined, '1.0')
})

onEachEngine('a class is renamed while others claim of it and change its inventory', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await admin.expect(201, 'PUT', '/resource_classes/CUSTOM_A')
  const hosts = [
    await makeProvider(admin, 1, { CUSTOM_A: { total: 100 } }),
    await makeProvider(admin, 2, { CUSTOM_A: { total: 100 } }),
  ]
  const [before, after] = ['CUSTOM_A', 'CUSTOM_B']
  const answers = await Promise.all(
    hosts.flatMap((host, h) => [
      ...[10, 20, 30].map(n =>
        admin('PUT', `/allocations/${uuidOf(n + h)}`, consumerBody({ [host]: { [before]: 1 } })),
      ),
      admin('PUT', `/resource_classes/${before}`, { name: after }, '1.6'),
      admin('PUT', `/resource_providers/${host}/inventories`, {
        resource_provider_generation: 1,
        inventories: { [before]: { total: 50 } },
      }),
    ]),
  )
  assert.ok(
    answers.every(answer => answer.status < 500),
    JSON.stringify(answers.map(answer => answer.body)),
  )
  await admin.expect(404, 'GET', `/resource_classes/${before}`)
  for (const host of hosts) {
    const { usages } = await admin.expect(200, 'GET', `/resource_providers/${host}/usages`)
    const { allocations } = await admin.expect(200, 'GET', `/resource_providers/${host}/allocations`)
    assert.deepEqual(Object.keys(usages), [after])
    assert.equal(usages[after], Object.keys(allocations).length)
  }
})
