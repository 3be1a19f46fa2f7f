/** The reshaper: inventories and allocations move together, at the generations that were seen, or nothing does. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import { adminOf, clientOf, consumerBody, makeProvider, uuidOf } from '../fixtures/client.ts'

onEachEngine('vCPUs in use move from a host to its NUMA nodes', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const services = clientOf(cloud, (await cloud.project('services', 'service')).token)
  const host = await makeProvider(admin, 1, { VCPU: { total: 8 }, MEMORY_MB: { total: 64 } })
  const node = await makeProvider(admin, 2, {}, 1)
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, consumerBody({ [host]: { VCPU: 5, MEMORY_MB: 8 } }))
  const body = (VCPU: number, seen = 2) => ({
    inventories: {
      [host]: { resource_provider_generation: seen, inventories: { MEMORY_MB: { total: 64 } } },
      [node]: { resource_provider_generation: 1, inventories: { VCPU: { total: 8 } } },
    },
    allocations: {
      [uuidOf(100)]: consumerBody({ [host]: { MEMORY_MB: 8 }, [node]: { VCPU } }, { consumer_generation: 1 }),
    },
  })
  const before = await admin.expect(200, 'GET', `/allocations/${uuidOf(100)}`)
  await admin.expect(403, 'POST', '/reshaper', body(5))
  const stale = await services.expect(409, 'POST', '/reshaper', body(5, 1))
  assert.match(stale.errors[0].detail, /generation conflict for provider .*: actual: 2, given: 1/)
  await services.expect(409, 'POST', '/reshaper', body(9))
  const { allocations: _, ...alone } = body(5)
  const inUse = await services.expect(409, 'POST', '/reshaper', { ...alone, allocations: {} })
  assert.equal(inUse.errors[0].code, 'placement.inventory.inuse')
  const nowhere = { [uuidOf(9)]: { resource_provider_generation: 0, inventories: {} } }
  const unknown = await services.expect(400, 'POST', '/reshaper', { inventories: nowhere, allocations: {} })
  assert.equal(unknown.errors[0].code, 'placement.resource_provider.not_found')
  assert.deepEqual(await admin.expect(200, 'GET', `/allocations/${uuidOf(100)}`), before, 'nothing has moved')

  await services.expect(404, 'POST', '/reshaper', body(5), '1.29')
  const answers = await Promise.all([1, 2, 3].map(() => services('POST', '/reshaper', body(5))))
  assert.deepEqual(answers.map(answer => answer.status).sort(), [204, 409, 409])
  assert.deepEqual((await admin.expect(200, 'GET', `/resource_providers/${host}/usages`)).usages, { MEMORY_MB: 8 })
  assert.deepEqual((await admin.expect(200, 'GET', `/resource_providers/${node}/usages`)).usages, { VCPU: 5 })
})
