/** Roles of a domain: they count by what they imply, and are never seen themselves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from '../../../../test/harness.ts'

interface Role {
  id: string
  name: string
}

test('a role of a domain gives what it implies, and is not among the effective ones', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  const { id: project_id, user_id } = await cloud.project('someone')
  const ask = <T>(method: string, path: string, body?: unknown) =>
    cloud.request<T>(method, `/identity/v3${path}`, { token, ...(body !== undefined && { body }) })
  const role = async (name: string, domain_id?: string) =>
    (await ask<{ role: Role }>('POST', '/roles', { role: { name, ...(domain_id && { domain_id }) } })).body.role
  const domain = await ask<{ domain: { id: string } }>('POST', '/domains', { domain: { name: 'other' } })

  const own = await role('cook', 'default')
  const global = await role('baker')
  const foreign = await role('cook', domain.body.domain.id)
  assert.equal((await ask('PUT', `/roles/${own.id}/implies/${global.id}`)).status, 201)
  assert.equal((await ask('PUT', `/roles/${own.id}/implies/${foreign.id}`)).status, 201)
  assert.equal((await ask('PUT', `/roles/${global.id}/implies/${own.id}`)).status, 403)
  assert.equal((await ask('PUT', `/projects/${project_id}/users/${user_id}/roles/${own.id}`)).status, 204)

  const list = async (query: string) => {
    const path = `/role_assignments?user.id=${user_id}&scope.project.id=${project_id}${query}`
    const { body } = await ask<{ role_assignments: { role: Role }[] }>('GET', path)
    return body.role_assignments.map(one => one.role.id)
  }
  assert.ok((await list('')).includes(own.id))
  const effective = await list('&effective')
  assert.ok(effective.includes(global.id))
  assert.ok(!effective.includes(own.id) && !effective.includes(foreign.id))
})
