/** What can only refuse does so in the words that clients know, and nothing is on that list that answers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { addressed } from '../attacks/belongings.ts'
import { extended, headersAt, nobody, surface } from '../attacks/surface.ts'
import { refusals } from '../conformance/refusals.ts'
import { seenBy } from '../conformance/results.ts'

test('each is refused for the reason that is given for it, to an administrator as well', async () => {
  await using cloud = await serverCloud({ set: extended })
  const owner = await cloud.project('owner')
  const servers = await cloud.boot(owner)
  // Shares are for servers that are off.
  assert.equal((await cloud.api(owner, 'POST', `/servers/${servers.id}/action`, { 'os-stop': null })).status, 202)
  await cloud.env.sagas.idle()
  const token = await cloud.login('admin')
  for (const [id, { status, says, body }] of Object.entries(refusals)) {
    const one = surface.find(({ operation }) => operation.id === id)
    assert.ok(one, `there is no operation ${id}`)
    const answer = await cloud.request<Record<string, { message: string }>>(
      one.operation.method,
      addressed(one, { servers: servers.id }, nobody),
      { token, headers: headersAt(one), ...(body && { body }) },
    )
    assert.equal(answer.status, status, `${id}: ${JSON.stringify(answer.body)}`)
    assert.match(Object.values(answer.body)[0]!.message, says, id)
  }
})

test('no test has had a good answer from any of them', () => {
  const seen = new Set(seenBy('tests'))
  assert.deepEqual(
    Object.keys(refusals).filter(id => seen.has(id)),
    [],
  )
})
