/** Allocations over HTTP: capacity, generations, several consumers at once, what each version shows, who may look. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import { adminOf, clientOf, consumerBody, makeProvider, uuidOf } from '../fixtures/client.ts'

onEachEngine('a provider of four vCPUs gives three, and not five (S-099)', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const host = await makeProvider(admin, 1, { VCPU: { total: 4 } })
  const consumer = `/allocations/${uuidOf(100)}`
  const refused = await admin.expect(409, 'PUT', consumer, consumerBody({ [host]: { VCPU: 5 } }))
  assert.match(refused.errors[0].detail, /Unable to allocate inventory: .*would exceed the capacity/)
  assert.equal(refused.errors[0].code, 'placement.undefined_code')
  await admin.expect(204, 'PUT', consumer, consumerBody({ [host]: { VCPU: 3 } }))
  const usages = await admin.expect(200, 'GET', `/resource_providers/${host}/usages`)
  assert.deepEqual(usages, { resource_provider_generation: 2, usages: { VCPU: 3 } })
  assert.deepEqual(await admin.expect(200, 'GET', consumer), {
    allocations: { [host]: { generation: 2, resources: { VCPU: 3 } } },
    project_id: 'p1',
    user_id: 'u1',
    consumer_generation: 1,
    consumer_type: 'INSTANCE',
  })
  assert.deepEqual(await admin.expect(200, 'GET', consumer, undefined, '1.11'), {
    allocations: { [host]: { generation: 2, resources: { VCPU: 3 } } },
  })
  assert.deepEqual(await admin.expect(200, 'GET', `/resource_providers/${host}/allocations`), {
    allocations: { [uuidOf(100)]: { resources: { VCPU: 3 }, consumer_generation: 1 } },
    resource_provider_generation: 2,
  })
  await admin.expect(409, 'DELETE', `/resource_providers/${host}`)
  await admin.expect(204, 'DELETE', consumer)
  await admin.expect(404, 'DELETE', consumer)
  assert.deepEqual(await admin.expect(200, 'GET', consumer), { allocations: {} })
  await admin.expect(204, 'DELETE', `/resource_providers/${host}`)
})

onEachEngine('of writers that saw the same consumer, one wins', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const host = await makeProvider(admin, 1, { VCPU: { total: 100 } })
  const consumer = `/allocations/${uuidOf(100)}`
  for (const seen of [null, 1, 2]) {
    const answers = await Promise.all(
      [1, 2, 3, 4].map(VCPU =>
        admin('PUT', consumer, consumerBody({ [host]: { VCPU } }, { consumer_generation: seen })),
      ),
    )
    assert.deepEqual(answers.map(answer => answer.status).sort(), [204, 409, 409, 409])
    for (const { body } of answers.filter(answer => answer.status === 409))
      assert.equal(body.errors[0].code, 'placement.concurrent_update')
  }
  await admin.expect(204, 'PUT', consumer, consumerBody({}, { consumer_generation: 3 }))
  await admin.expect(409, 'PUT', consumer, consumerBody({ [host]: { VCPU: 1 } }, { consumer_generation: 3 }))
})

onEachEngine('several consumers change together or not at all', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const [one, two] = [
    await makeProvider(admin, 1, { VCPU: { total: 4 } }),
    await makeProvider(admin, 2, { VCPU: { total: 4 } }),
  ]
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, consumerBody({ [one]: { VCPU: 4 } }))
  const move = (VCPU: number) => ({
    [uuidOf(100)]: consumerBody({ [two]: { VCPU } }, { consumer_generation: 1 }),
    [uuidOf(101)]: consumerBody({ [one]: { VCPU: 4 } }, { consumer_type: 'MIGRATION' }),
  })
  await admin.expect(409, 'POST', '/allocations', move(5))
  assert.deepEqual((await admin.expect(200, 'GET', `/allocations/${uuidOf(101)}`)).allocations, {})
  await admin.expect(204, 'POST', '/allocations', move(4))
  const { usages } = await admin.expect(200, 'GET', '/usages?project_id=p1')
  assert.deepEqual(usages, { INSTANCE: { consumer_count: 1, VCPU: 4 }, MIGRATION: { consumer_count: 1, VCPU: 4 } })
  const all = await admin.expect(200, 'GET', '/usages?project_id=p1&consumer_type=all')
  assert.deepEqual(all.usages, { all: { consumer_count: 2, VCPU: 8 } })
  const old = await admin.expect(200, 'GET', '/usages?project_id=p1', undefined, '1.37')
  assert.deepEqual(old.usages, { VCPU: 8 })
  await admin.expect(404, 'POST', '/allocations', move(4), '1.12')
})

onEachEngine('older versions write lists, without owner or generation', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const host = await makeProvider(admin, 1, { VCPU: { total: 4 } })
  const consumer = `/allocations/${uuidOf(100)}`
  const allocations = [{ resource_provider: { uuid: host }, resources: { VCPU: 2 } }]
  await admin.expect(204, 'PUT', consumer, { allocations }, '1.7')
  await admin.expect(400, 'PUT', consumer, { allocations }, '1.8')
  await admin.expect(204, 'PUT', consumer, { allocations, project_id: 'p', user_id: 'u' }, '1.8')
  await admin.expect(400, 'PUT', consumer, { allocations, project_id: 'p', user_id: 'u' }, '1.12')
  await admin.expect(400, 'PUT', consumer, { allocations: {}, project_id: 'p', user_id: 'u' }, '1.27')
  const { usages } = await admin.expect(200, 'GET', '/usages?project_id=p')
  assert.deepEqual(usages, { unknown: { consumer_count: 1, VCPU: 2 } })
})

onEachEngine('tenants see what their own project uses, and nothing else', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const host = await makeProvider(admin, 1, { VCPU: { total: 4 } })
  const mine = await cloud.project('mine', 'reader')
  const theirs = await cloud.project('theirs')
  const services = clientOf(cloud, (await cloud.project('services', 'service')).token)
  const body = consumerBody({ [host]: { VCPU: 3 } }, { project_id: mine.id })
  const tenant = clientOf(cloud, mine.token)
  await tenant.expect(403, 'PUT', `/allocations/${uuidOf(100)}`, body)
  await services.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, body)
  assert.equal((await tenant.expect(200, 'GET', `/usages?project_id=${mine.id}`)).usages.INSTANCE.VCPU, 3)
  await tenant.expect(403, 'GET', `/usages?project_id=${theirs.id}`)
  await tenant.expect(400, 'GET', `/usages?project_id=${theirs.id}&project_id=${mine.id}`)
  await tenant.expect(400, 'GET', '/usages')
  await clientOf(cloud, theirs.token).expect(403, 'GET', `/usages?project_id=${mine.id}`)
  for (const path of [
    '/resource_providers',
    `/resource_providers/${host}`,
    `/resource_providers/${host}/inventories`,
    `/resource_providers/${host}/usages`,
    `/resource_providers/${host}/allocations`,
    `/allocations/${uuidOf(100)}`,
  ])
    await tenant.expect(403, 'GET', path)
  await tenant.expect(403, 'DELETE', `/allocations/${uuidOf(100)}`)
  assert.equal((await cloud.request('GET', '/placement/resource_providers')).status, 401)
})
