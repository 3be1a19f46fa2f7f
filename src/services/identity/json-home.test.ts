/** Discovery: versions, and JSON home for those who ask. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from '../../../test/harness.ts'
import { wantsJsonHome } from './json-home.ts'

interface Home {
  resources: Record<string, { href?: string; 'href-template'?: string; 'href-vars'?: Record<string, string> }>
}

const rel = (name: string) => `https://docs.openstack.org/api/openstack-identity/3/rel/${name}`
const param = (name: string) => `https://docs.openstack.org/api/openstack-identity/3/param/${name}`

test('JSON home tells where each resource is', async () => {
  await using cloud = await testCloud()
  const { headers, status, body } = await cloud.request<Home>('GET', '/identity/v3', {
    headers: { accept: 'application/json-home' },
  })
  assert.equal(status, 200)
  assert.match(headers['content-type']!, /^application\/json-home\b/)
  const { resources } = body
  assert.deepEqual(resources[rel('auth_tokens')], { href: '/auth/tokens' })
  assert.deepEqual(resources[rel('users')], { href: '/users' })
  assert.deepEqual(resources[rel('user_change_password')], {
    'href-template': '/users/{user_id}/password',
    'href-vars': { user_id: param('user_id') },
  })
  assert.deepEqual(resources[rel('project_user_role')], {
    'href-template': '/projects/{project_id}/users/{user_id}/roles/{role_id}',
    'href-vars': { project_id: param('project_id'), user_id: param('user_id'), role_id: param('role_id') },
  })
  assert.ok(resources[rel('implied_roles')])
  assert.ok(resources[rel('application_credential')])
  const inherited =
    'https://docs.openstack.org/api/openstack-identity/3/ext/OS-INHERIT/1.0/rel/project_user_role_inherited_to_projects'
  assert.ok(resources[inherited])

  const root = await cloud.request<Home>('GET', '/identity/', { headers: { accept: 'application/json-home' } })
  assert.equal(root.status, 200)
  assert.deepEqual(root.body.resources[rel('users')], { href: '/v3/users' })
})

test('whoever does not prefer JSON home gets the version', async () => {
  await using cloud = await testCloud()
  for (const accept of [undefined, '*/*', 'application/json', 'application/json, application/json-home;q=0.5']) {
    const answer = await cloud.request<{ version: { id: string } }>('GET', '/identity/v3', {
      ...(accept && { headers: { accept } }),
    })
    assert.equal(answer.body.version.id, 'v3.14', accept ?? 'nothing said')
  }
  assert.equal(wantsJsonHome('application/json-home, application/json;q=0.9'), true)
})
