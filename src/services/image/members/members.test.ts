/** Sharing an image: the owner offers, the member accepts, nobody else knows. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import type { TestProject } from '../../../../test/harness.ts'
import { imageCloud } from '../fixtures/image-cloud.ts'

interface Member {
  member_id: string
  image_id: string
  status: string
  schema: string
}

onEachEngine('an image is shared with a project, which accepts it and loses it again', async database => {
  await using s = await imageCloud(database)
  const third = await s.cloud.project('third')
  const { id } = await s.make({ name: 'offer' })
  await s.fill(id, 'bytes')
  const members = (who: TestProject | string, method: string, path = '', body?: unknown) =>
    s.call<Member & { members: Member[] }>(who, method, `/v2/images/${id}/members${path}`, body ? { body } : {})
  const theirs = `/${s.other.id}`

  assert.equal((await s.call(s.other, 'GET', `/v2/images/${id}`)).status, 404)
  const added = await members(s.mine, 'POST', '', { member: s.other.id })
  assert.equal(added.status, 200)
  assert.equal(added.body.status, 'pending')
  assert.equal(added.body.member_id, s.other.id)
  assert.equal(added.body.image_id, id)
  assert.equal(added.body.schema, '/v2/schemas/member')
  assert.equal((await members(s.mine, 'POST', '', { member: s.other.id })).status, 409)
  assert.equal((await members(s.mine, 'POST', '', { member: '' })).status, 400)
  assert.equal((await members(s.mine, 'POST', '', { member: 'm'.repeat(256) })).status, 400)
  assert.equal((await members(s.mine, 'POST', '', { wrong: 1 })).status, 400)
  await members(s.mine, 'POST', '', { member: third.id })

  assert.equal((await s.call(s.other, 'GET', `/v2/images/${id}`)).status, 200)
  assert.equal((await s.call(s.other, 'GET', `/v2/images/${id}/file`)).body as unknown, 'bytes')
  assert.deepEqual(
    (await members(s.other, 'GET')).body.members.map(m => m.member_id),
    [s.other.id],
  )
  assert.equal((await members(s.mine, 'GET')).body.members.length, 2)
  assert.equal((await members(s.other, 'GET', `/${third.id}`)).status, 404)
  assert.equal((await members(s.other, 'GET', theirs)).body.status, 'pending')

  assert.equal((await members(s.mine, 'PUT', theirs, { status: 'accepted' })).status, 403)
  assert.equal((await members(s.other, 'PUT', `/${third.id}`, { status: 'accepted' })).status, 404)
  assert.equal((await members(s.other, 'PUT', theirs, { status: 'perhaps' })).status, 400)
  assert.equal((await members(s.other, 'PUT', theirs, { status: 'accepted' })).body.status, 'accepted')
  for (const [method, path, body] of [
    ['POST', '', { member: 'x' }],
    ['DELETE', theirs, undefined],
  ] as const)
    assert.equal((await members(s.other, method, path, body)).status, 403)
  assert.equal((await s.patch(s.other, id, [{ op: 'replace', path: '/name', value: 'x' }])).status, 403)
  assert.equal((await s.call(s.other, 'DELETE', `/v2/images/${id}`)).status, 403)

  assert.equal((await members(s.mine, 'DELETE', theirs)).status, 204)
  assert.equal((await members(s.mine, 'DELETE', theirs)).status, 404)
  assert.equal((await members(s.other, 'GET')).status, 404)
  assert.equal((await s.call(s.other, 'GET', `/v2/images/${id}`)).status, 404)
})

onEachEngine('only shared images have members, and not endlessly many', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make({ visibility: 'private' })
  const add = (member: string) => s.call(s.mine, 'POST', `/v2/images/${id}/members`, { body: { member } })
  assert.equal((await add('m')).status, 403)
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}/members`)).status, 403)
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}/members/m`)).status, 404)
  await s.patch(s.mine, id, [{ op: 'replace', path: '/visibility', value: 'shared' }])
  for (let i = 0; i < 128; i++) assert.equal((await add(`m${i}`)).status, 200)
  const over = await add('m128')
  assert.equal(over.status, 413)
  assert.match(String(over.body), /Attempted: 129, Maximum: 128/)
})
