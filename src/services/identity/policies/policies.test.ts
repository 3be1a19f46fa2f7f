/** Policies: the nearest one is the endpoint's. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'

onEachEngine(
  'an endpoint has its own policy, else that of its service in a region around it, else of its service',
  async database => {
    await using cloud = await testCloud({ database })
    const token = await cloud.login('admin')
    const ask = <T>(method: string, path: string, body?: unknown) =>
      cloud.request<T>(method, `/identity/v3${path}`, { token, ...(body !== undefined && { body }) })
    const policy = async (blob: string) =>
      (await ask<{ policy: { id: string } }>('POST', '/policies', { policy: { blob, type: 'text/plain' } })).body.policy
        .id
    const [own, regional, general] = [await policy('own'), await policy('regional'), await policy('general')]
    await ask('PUT', '/regions/world', { region: {} })
    await ask('PUT', '/regions/town', { region: { parent_region_id: 'world' } })
    const service = await ask<{ service: { id: string } }>('POST', '/services', { service: { type: 'lights' } })
    const service_id = service.body.service.id
    const endpoint = { service_id, region_id: 'town', interface: 'public', url: 'http://lights.test' }
    const { id } = (await ask<{ endpoint: { id: string } }>('POST', '/endpoints', { endpoint })).body.endpoint
    const effective = async () => {
      const { status, body } = await ask<{ policy: { blob: string } }>(
        'GET',
        `/endpoints/${id}/OS-ENDPOINT-POLICY/policy`,
      )
      return status === 200 ? body.policy.blob : status
    }
    const endpointsOf = async (policyId: string) =>
      (await ask<{ endpoints: { id: string }[] }>('GET', `/policies/${policyId}/OS-ENDPOINT-POLICY/endpoints`)).body
        .endpoints.length

    assert.equal(await effective(), 404)
    const places = [
      [general, `/policies/${general}/OS-ENDPOINT-POLICY/services/${service_id}`, 'general'],
      [regional, `/policies/${regional}/OS-ENDPOINT-POLICY/services/${service_id}/regions/world`, 'regional'],
      [own, `/policies/${own}/OS-ENDPOINT-POLICY/endpoints/${id}`, 'own'],
    ] as const
    for (const [policyId, place, expected] of places) {
      assert.equal((await ask('GET', place)).status, 404)
      assert.equal((await ask('PUT', place)).status, 204)
      assert.equal((await ask('GET', place)).status, 204)
      assert.equal(await effective(), expected)
      assert.equal(await endpointsOf(policyId), 1)
    }
    assert.equal((await ask('DELETE', places[2][1])).status, 204)
    assert.equal((await ask('DELETE', places[2][1])).status, 404)
    assert.equal(await effective(), 'regional')
    assert.equal((await ask('DELETE', `/policies/${regional}`)).status, 204)
    assert.equal(await effective(), 'general')
    assert.equal((await ask('PUT', `/policies/${general}/OS-ENDPOINT-POLICY/endpoints/nothing`)).status, 404)
  },
)
