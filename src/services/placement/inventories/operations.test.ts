/** Inventories over HTTP: all at once and one by one, what is in use, writers that race, numbers at their limits. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import { adminOf, consumerBody, makeProvider, uuidOf } from '../fixtures/client.ts'

const whole = { total: 4, reserved: 0, min_unit: 1, max_unit: 2147483647, step_size: 1, allocation_ratio: 1 }

onEachEngine('inventories are replaced as a whole, and added, changed and deleted one by one', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const path = `/resource_providers/${await makeProvider(admin, 1, { VCPU: { total: 4 } })}/inventories`
  assert.deepEqual(await admin.expect(200, 'GET', path), {
    resource_provider_generation: 1,
    inventories: { VCPU: whole },
  })
  const added = await admin('POST', path, { resource_class: 'DISK_GB', total: 4, reserved: 1 })
  assert.deepEqual([added.status, added.headers.location], [201, `http://cloud.test/placement${path}/DISK_GB`])
  assert.deepEqual(added.body, { ...whole, reserved: 1, resource_provider_generation: 2 })
  const twice = await admin.expect(409, 'POST', path, { resource_class: 'DISK_GB', total: 4 })
  assert.equal(twice.errors[0].code, 'placement.concurrent_update')
  const changed = await admin.expect(200, 'PUT', `${path}/DISK_GB`, { total: 9, resource_provider_generation: 2 })
  assert.deepEqual(changed, { ...whole, total: 9, resource_provider_generation: 3 })
  await admin.expect(409, 'PUT', `${path}/DISK_GB`, { total: 8, resource_provider_generation: 2 })
  await admin.expect(400, 'PUT', `${path}/MEMORY_MB`, { total: 8, resource_provider_generation: 3 })
  await admin.expect(404, 'GET', `${path}/MEMORY_MB`)
  await admin.expect(204, 'DELETE', `${path}/DISK_GB`)
  await admin.expect(404, 'DELETE', `${path}/DISK_GB`)
  await admin.expect(405, 'DELETE', path, undefined, '1.4')
  await admin.expect(204, 'DELETE', path)
  assert.deepEqual((await admin.expect(200, 'GET', path)).inventories, {})
  for (const [method, body] of [['GET'], ['PUT', {}], ['POST', {}], ['DELETE']] as const)
    await admin.expect(404, method, `/resource_providers/${uuidOf(9)}/inventories`, body)
})

onEachEngine('what is in use stays, and may be shrunk below what is used', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const host = await makeProvider(admin, 1, { VCPU: { total: 4 }, DISK_GB: { total: 9 } })
  const path = `/resource_providers/${host}/inventories`
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, consumerBody({ [host]: { VCPU: 3 } }))
  const refused = await admin.expect(409, 'PUT', path, { resource_provider_generation: 2, inventories: {} })
  assert.match(refused.errors[0].detail, /update conflict: Inventory for 'VCPU' on resource provider '.*' in use/)
  assert.equal(refused.errors[0].code, 'placement.inventory.inuse')
  await admin.expect(409, 'DELETE', path)
  await admin.expect(409, 'DELETE', `${path}/VCPU`)
  await admin.expect(200, 'PUT', path, { resource_provider_generation: 2, inventories: { VCPU: { total: 2 } } })
  const usages = await admin.expect(200, 'GET', `/resource_providers/${host}/usages`)
  assert.deepEqual(usages, { resource_provider_generation: 3, usages: { VCPU: 3 } })
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, {
    ...consumerBody({ [host]: { VCPU: 2 } }),
    consumer_generation: 1,
  })
})

onEachEngine('of writers that saw the same generation, one wins', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const path = `/resource_providers/${await makeProvider(admin, 1, { VCPU: { total: 4 } })}`
  const at = { resource_provider_generation: 1 }
  const answers = await Promise.all([
    admin('PUT', `${path}/inventories`, { ...at, inventories: { VCPU: { total: 1 } } }),
    admin('PUT', `${path}/inventories`, { ...at, inventories: { DISK_GB: { total: 2 } } }),
    admin('PUT', `${path}/inventories/VCPU`, { ...at, total: 3 }),
    admin('PUT', `${path}/traits`, { ...at, traits: ['HW_CPU_X86_VMX'] }),
    admin('PUT', `${path}/aggregates`, { ...at, aggregates: [uuidOf(90)] }),
  ])
  assert.deepEqual(answers.map(answer => answer.status).sort(), [200, 409, 409, 409, 409])
  for (const { status, body } of answers)
    if (status === 409) assert.equal(body.errors[0].code, 'placement.concurrent_update')
  assert.equal((await admin.expect(200, 'GET', path)).generation, 2)
})

onEachEngine('numbers at their limits are kept or refused, never broken', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  const host = await makeProvider(admin, 1, {})
  const path = `/resource_providers/${host}/inventories`
  for (const wrong of [
    { total: 0 },
    { total: 2147483648 },
    { total: 1.5 },
    { total: '4' },
    { total: 4, reserved: 5 },
    { total: 4, reserved: -1 },
    { total: 4, step_size: 0 },
    { total: 4, allocation_ratio: -1 },
    { total: 4, allocation_ratio: 3.5e38 },
    { total: 4, colour: 'red' },
    { reserved: 1 },
  ]) {
    await admin.expect(400, 'POST', path, { resource_class: 'VCPU', ...wrong })
    await admin.expect(400, 'PUT', path, { resource_provider_generation: 1, inventories: { VCPU: wrong } })
  }
  await admin.expect(400, 'POST', path, { resource_class: 'VCPU', total: 4, reserved: 4 }, '1.25')
  for (const name of ['CUSTOM_NONE', 'vcpu', '__proto__', 'constructor', 'A B'])
    await admin.expect(400, 'POST', path, { resource_class: name, total: 4 })
  const most = { total: 2147483647, allocation_ratio: 3.4e38 }
  await admin.expect(201, 'POST', path, { resource_class: 'VCPU', ...most })
  await admin.expect(204, 'PUT', `/allocations/${uuidOf(100)}`, consumerBody({ [host]: { VCPU: 2147483647 } }))
  const overMany = consumerBody({ [host]: { VCPU: 1e300 } })
  await admin.expect(409, 'PUT', `/allocations/${uuidOf(101)}`, overMany)
  for (const VCPU of [0, -1, 0.5, null, '1'])
    await admin.expect(400, 'PUT', `/allocations/${uuidOf(101)}`, {
      ...overMany,
      allocations: { [host]: { resources: { VCPU } } },
    })
})
