/** A cloud started from a configuration with an extension, and the commands that tell of it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { main, runningCloud } from './fixtures/running-cloud.ts'

const root = join(import.meta.dirname, '../..')
const data = mkdtempSync(join(tmpdir(), 'nephos-extended-'))
const extensions = join(data, 'extensions')

before(() => {
  mkdirSync(extensions)
  cpSync(join(root, 'examples/extensions/x-notes.mjs'), join(extensions, 'x-notes.mjs'))
  writeFileSync(join(data, 'nephos.yaml'), `compute:\n  extensions: [${extensions}]\n`)
})
after(() => rmSync(data, { recursive: true, force: true }))

async function said(words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise(done => {
    const options = { maxBuffer: 100_000_000 }
    execFile(process.execPath, [main, ...words, '--data', data], options, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}

test('a module dropped into the folder is there after a start: its resource, and its attribute on servers', async () => {
  await using cloud = await runningCloud(data)
  const { url } = cloud
  const headers = await cloud.login('nephos')
  // biome-ignore lint/suspicious/noExplicitAny: many kinds of answers
  const ask = async (path: string, body?: object): Promise<any> => {
    const sent = body && { method: 'POST', body: JSON.stringify(body) }
    const answer = await fetch(url + path, { headers, ...sent })
    assert.ok(answer.ok, `${path}: ${answer.status}`)
    return answer.json()
  }
  const { images } = await ask('/image/v2/images')
  const { flavors } = await ask('/compute/v2.1/flavors')
  const server = { name: 'vm', imageRef: images[0].id, flavorRef: flavors[0].id, 'x-notes:label': 'blue' }
  const { id } = (await ask('/compute/v2.1/servers', { server })).server
  assert.equal((await ask(`/compute/v2.1/servers/${id}`)).server['x-notes:label'], 'blue')
  assert.deepEqual(await ask('/compute/v2.1/os-x-notes'), { notes: [{ server_id: id, label: 'blue' }] })
  const fault = { kind: 'answer', status: 503, operation: 'compute.x_notes.list' }
  await ask('/_nephos/faults', { fault })
  assert.equal((await fetch(`${url}/compute/v2.1/os-x-notes`, { headers })).status, 503)
})

test('policies and the document of the API have what extensions bring', async () => {
  const { stdout: policies } = await said(['policy', 'list'])
  assert.match(policies, /^ {2}x-notes:write: rule:project_member_or_admin$/m)
  const { paths } = JSON.parse((await said(['api', 'schema', 'compute'])).stdout)
  assert.equal(paths['/v2.1/os-x-notes'].get.operationId, 'compute.x_notes.list')
  assert.ok(JSON.stringify(paths['/v2.1/servers'].post.requestBody).includes('x-notes:label'))
})

test('a broken module fails the start with its file and what is wrong', async () => {
  writeFileSync(join(extensions, 'broken.mjs'), "export const extension = { alias: 'x-broken', attributes: 7 }\n")
  const { code, stderr } = await said(['up', '--simulated', '--ephemeral', '--port', '0'])
  assert.equal(code, 1)
  assert.match(stderr, /broken\.mjs: extension.*'name' is a required property/)
  assert.doesNotMatch(stderr, /at .*\.ts:/)
})
