/** Why providers are no candidates, as administrators are told; and versions that there are none of. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import { explainedLines } from '../../../cli/placement-explain.ts'
import { adminOf, clientOf, type Json, makeProvider } from '../fixtures/client.ts'

onEachEngine('each provider that cannot take a request says which constraint it fails', async database => {
  await using cloud = await testCloud({ database })
  const admin = await adminOf(cloud)
  await makeProvider(admin, 1, { VCPU: { total: 4 }, MEMORY_MB: { total: 512 } })
  await makeProvider(admin, 2, { VCPU: { total: 16 }, MEMORY_MB: { total: 4096 } })
  await makeProvider(admin, 3, { VCPU: { total: 2 } })
  const explain = (query: string) => admin.expect(200, 'GET', `/allocation_candidates/nephos-explain?${query}`)
  const found = await explain('resources=VCPU:3,MEMORY_MB:1024')
  assert.equal(found.candidates, 1)
  const said = found.refusals.map((one: Json) => [one.name, one.constraint, one.asked, one.had])
  assert.deepEqual(said.filter(([name]: string[]) => name!.startsWith('provider-')).toSorted(), [
    ['provider-1', 'MEMORY_MB', '1024', '512 free of 512'],
    ['provider-3', 'VCPU', '3', '2 free of 2'],
  ])
  const traits = await explain('resources=VCPU:1&required=HW_CPU_X86_AVX2')
  assert.equal(traits.candidates, 0)
  assert.ok(traits.refusals.every((one: Json) => one.constraint === 'trait:HW_CPU_X86_AVX2'))
  const lines = explainedLines(traits)
  assert.equal(lines[0], 'Nothing can take it.')
  assert.match(lines[1]!, /trait:HW_CPU_X86_AVX2: asked required, had absent/)
  await admin.expect(400, 'GET', '/allocation_candidates/nephos-explain?resources=NO_CLASS:1')
  const mine = clientOf(cloud, (await cloud.project('mine')).token)
  await mine.expect(403, 'GET', '/allocation_candidates/nephos-explain?resources=VCPU:1')
})

onEachEngine('versions below 1.0 are refused as unknown, in the way that the caller reads', async database => {
  await using cloud = await testCloud({ database })
  const ask = (accept: string, version: string) =>
    cloud.request<Json>('GET', '/placement/', { headers: { accept, 'openstack-api-version': `placement ${version}` } })
  const json = await ask('application/json', '0.5')
  assert.equal(json.status, 406)
  assert.match(json.body.errors[0].detail, /Unacceptable version header: 0\.5/)
  assert.deepEqual([json.body.errors[0].min_version, json.body.errors[0].max_version], ['1.0', '1.39'])
  const page = await ask('text/html', '0.5')
  assert.equal(page.status, 406)
  assert.match(page.headers['content-type']!, /text\/html/)
  assert.match(String(page.body), /Unacceptable version header: 0\.5/)
  assert.equal((await ask('application/json', '1.40')).status, 406)
  assert.equal((await ask('application/json', '1.2.3')).status, 400)
})

onEachEngine('a browser is answered in pages, and what it asked for is mere text in them', async database => {
  await using cloud = await testCloud({ database })
  const headers = { accept: 'text/html', 'openstack-api-version': 'placement 1.39' }
  const unknown = await cloud.request<string>('GET', '/placement/nothing', { headers })
  assert.equal(unknown.status, 404)
  assert.match(unknown.headers['content-type']!, /text\/html/)
  assert.match(unknown.body, /The resource could not be found/)
  const version = '0.5<script>'
  const wrong = await cloud.request<string>('GET', '/placement/', {
    headers: { accept: 'text/html', 'openstack-api-version': `placement ${version}` },
  })
  assert.ok(wrong.status >= 400 && !String(wrong.body).includes('<script>'))
  const removed = await cloud.request('DELETE', '/placement/resource_providers', { token: await cloud.login('admin') })
  assert.deepEqual([removed.status, removed.headers.allow], [405, 'GET, POST'])
  assert.equal((await cloud.request('GET', '/placement/')).headers.vary, 'openstack-api-version')
})
