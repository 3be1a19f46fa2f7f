/** Projects in their hierarchy. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from '../../../../test/harness.ts'

interface Shown {
  project: { id: string; parents?: unknown; subtree?: unknown }
}

test('a project tells of what is above and below it when asked', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  const make = async (name: string, parent_id?: string) => {
    const body = { project: { name, ...(parent_id && { parent_id }) } }
    return (await cloud.request<Shown>('POST', '/identity/v3/projects', { token, body })).body.project.id
  }
  const top = await make('top')
  const middle = await make('middle', top)
  const [left, right] = [await make('left', middle), await make('right', middle)]
  const show = async (id: string, query: string) =>
    cloud.request<Shown>('GET', `/identity/v3/projects/${id}?${query}`, { token })

  const ids = (await show(middle, 'parents_as_ids&subtree_as_ids')).body.project
  assert.deepEqual(ids.parents, { [top]: { default: null } })
  assert.deepEqual(ids.subtree, { [left]: null, [right]: null })
  const lists = (await show(left, 'parents_as_list&subtree_as_list')).body.project
  const parents = lists.parents as { project: { name: string } }[]
  assert.deepEqual(
    parents.map(({ project }) => project.name),
    ['middle', 'top', 'Default'],
  )
  assert.deepEqual(lists.subtree, [])
  assert.equal((await show(left, 'parents_as_list&parents_as_ids')).status, 400)
  assert.ok(!('parents' in (await show(left, '')).body.project))
})

test('a project that acts as a domain is deleted once it is disabled, with all that is in it', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  const body = { project: { name: 'realm', is_domain: true } }
  const { id } = (await cloud.request<Shown>('POST', '/identity/v3/projects', { token, body })).body.project
  const within = { project: { name: 'inside', domain_id: id } }
  const inside = (await cloud.request<Shown>('POST', '/identity/v3/projects', { token, body: within })).body.project
  assert.equal((await cloud.request('DELETE', `/identity/v3/projects/${id}`, { token })).status, 403)
  const disable = { project: { enabled: false } }
  await cloud.request('PATCH', `/identity/v3/domains/${id}`, { token, body: { domain: disable.project } })
  assert.equal((await cloud.request('DELETE', `/identity/v3/projects/${id}`, { token })).status, 204)
  assert.equal((await cloud.request('GET', `/identity/v3/projects/${inside.id}`, { token })).status, 404)
})

test('what is immutable is unmarked before it is changed or deleted', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  const body = { project: { name: 'rock', options: { immutable: true } } }
  const { id } = (await cloud.request<Shown>('POST', '/identity/v3/projects', { token, body })).body.project
  const patch = async (project: object) =>
    (await cloud.request('PATCH', `/identity/v3/projects/${id}`, { token, body: { project } })).status
  assert.equal(await patch({ description: 'soft' }), 403)
  assert.equal((await cloud.request('DELETE', `/identity/v3/projects/${id}`, { token })).status, 403)
  assert.equal(await patch({ options: { hard: true } }), 400)
  assert.equal(await patch({ options: { immutable: false }, description: 'soft' }), 200)
  assert.equal((await cloud.request('DELETE', `/identity/v3/projects/${id}`, { token })).status, 204)
})
