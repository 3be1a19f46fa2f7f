/** Endpoint groups, and catalogs held to some endpoints. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'

interface Endpoint {
  id: string
  interface: string
}

onEachEngine('a project that is held to some endpoints has those in its catalog, others have all', async database => {
  await using cloud = await testCloud({ database })
  const token = await cloud.login('admin')
  const ask = <T>(method: string, path: string, body?: unknown) =>
    cloud.request<T>(method, `/identity/v3${path}`, { token, ...(body !== undefined && { body }) })
  const [held, free] = [await cloud.project('held'), await cloud.project('free')]
  const catalogOf = async (as: string) => {
    const { body } = await cloud.request<{ catalog: { type: string; endpoints: Endpoint[] }[] }>(
      'GET',
      '/identity/v3/auth/catalog',
      { token: as },
    )
    return body.catalog
  }
  const all = await catalogOf(free.token)
  const one = all.find(entry => entry.type === 'image')!.endpoints[0]!
  const place = `/OS-EP-FILTER/projects/${held.id}/endpoints/${one.id}`
  assert.equal((await ask('GET', place)).status, 404)
  assert.equal((await ask('PUT', place)).status, 204)
  assert.equal((await ask('PUT', place)).status, 409)
  assert.equal((await ask('GET', place)).status, 204)
  assert.equal((await ask('HEAD', place)).status, 204)
  assert.deepEqual(
    (await catalogOf(held.token)).map(entry => [entry.type, entry.endpoints.map(e => e.id)]),
    [['image', [one.id]]],
  )
  assert.deepEqual(await catalogOf(free.token), all)

  const endpoint_group = { name: 'admins', filters: { interface: 'admin' } }
  const made = await ask<{ endpoint_group: { id: string } }>('POST', '/OS-EP-FILTER/endpoint_groups', {
    endpoint_group,
  })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const group = `/OS-EP-FILTER/endpoint_groups/${made.body.endpoint_group.id}`
  assert.equal((await ask('PUT', `${group}/projects/${held.id}`)).status, 204)
  const ofGroup = await ask<{ endpoints: Endpoint[] }>('GET', `${group}/endpoints`)
  assert.ok(ofGroup.body.endpoints.length > 1)
  assert.ok(ofGroup.body.endpoints.every(e => e.interface === 'admin'))
  const ofProject = await ask<{ endpoints: Endpoint[] }>('GET', `/OS-EP-FILTER/projects/${held.id}/endpoints`)
  const shown = (await catalogOf(held.token)).flatMap(entry => entry.endpoints.map(e => e.id))
  assert.deepEqual(shown.sort(), ofProject.body.endpoints.map(e => e.id).sort())

  const groups = await ask<{ endpoint_groups: object[] }>('GET', `/OS-EP-FILTER/projects/${held.id}/endpoint_groups`)
  assert.equal(groups.body.endpoint_groups.length, 1)
  const projects = await ask<{ projects: { id: string }[] }>('GET', `${group}/projects`)
  assert.deepEqual(
    projects.body.projects.map(p => p.id),
    [held.id],
  )
  const ofEndpoint = await ask<{ projects: { id: string }[] }>('GET', `/OS-EP-FILTER/endpoints/${one.id}/projects`)
  assert.deepEqual(
    ofEndpoint.body.projects.map(p => p.id),
    [held.id],
  )
  assert.equal((await ask('DELETE', place)).status, 204)
  assert.equal((await ask('DELETE', `${group}/projects/${held.id}`)).status, 204)
  assert.deepEqual(await catalogOf(held.token), all)
  assert.equal((await ask('DELETE', group)).status, 204)
})

test('a group is made of known filters, at least one', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  for (const filters of [{}, { colour: 'red' }, { interface: 'secret' }]) {
    const body = { endpoint_group: { name: 'x', filters } }
    const { status } = await cloud.request('POST', '/identity/v3/OS-EP-FILTER/endpoint_groups', { token, body })
    assert.equal(status, 400, JSON.stringify(filters))
  }
})
