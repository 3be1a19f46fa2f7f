/** Regions, services and endpoints. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from '../../../../test/harness.ts'

test('a region may be made with an id of choice, once', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  const put = (id: string, region: object) =>
    cloud.request<{ region: { id: string; description: string; colour?: string } }>(
      'PUT',
      `/identity/v3/regions/${id}`,
      { token, body: { region } },
    )
  const made = await put('north', { description: 'cold', colour: 'white' })
  assert.equal(made.status, 201)
  assert.equal(made.body.region.id, 'north')
  assert.equal(made.body.region.colour, 'white')
  assert.equal((await put('north', {})).status, 409)
  assert.equal((await put('south', { id: 'other' })).status, 400)
  assert.equal((await put('south', { parent_region_id: 'nowhere' })).status, 404)
})
