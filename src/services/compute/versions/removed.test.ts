/** What upstream took away answers as upstream does, whoever asks and at every version. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { computeCloud } from '../fixtures/compute-cloud.ts'
import { removedOperations } from './removed.ts'

const gone = { code: 410, message: 'This resource is no longer available. No forwarding address is given.' }

test('every route that was removed is a 410 that says so, to members as to admins', async () => {
  await using cloud = await computeCloud()
  const routes = removedOperations.filter(({ action }) => action === undefined)
  assert.ok(routes.length > 40)
  for (const { method, path } of routes) {
    const asked = path.replace('/v2.1', '').replace(/\{\w+\}/g, 'a')
    const body = method === 'GET' || method === 'DELETE' ? undefined : { anything: 1 }
    for (const who of ['alice', 'admin'] as const)
      for (const version of ['2.1', 'latest']) {
        const answer = await cloud.call(who, method, asked, body, version)
        assert.deepEqual([answer.status, answer.body], [410, { computeFault: gone }], `${method} ${asked} ${version}`)
      }
    const nobody = await cloud.request(method, `/compute${path.replace(/\{\w+\}/g, 'a')}`, body ? { body } : {})
    assert.equal(nobody.status, 401, `${method} ${asked} without a token`)
  }
})
