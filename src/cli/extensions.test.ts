/** A cloud started from a configuration with an extension, and the commands that tell of it. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../..')
const main = join(root, 'src/main.ts')
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

async function urlOf(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    text += chunk
    const ready = /^ready (http\S+)/m.exec(text)
    if (ready) return ready[1]!
  }
  throw new Error(`it ended: ${text}`)
}

async function login(url: string): Promise<string> {
  const { auth } = parse(readFileSync(join(data, 'clouds.yaml'), 'utf8')).clouds.nephos
  const domain = { name: 'Default' }
  const identity = {
    methods: ['password'],
    password: { user: { name: auth.username, password: auth.password, domain } },
  }
  const scope = { project: { name: auth.project_name, domain } }
  const answer = await fetch(`${url}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope } }),
  })
  assert.equal(answer.status, 201)
  return answer.headers.get('x-subject-token')!
}

test('a module dropped into the folder is there after a start: its resource, and its attribute on servers', async () => {
  const words = ['up', '--simulated', '--ephemeral', '--port', '0', '--data', data]
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const url = await urlOf(child)
    child.stdout.resume()
    const headers = { 'x-auth-token': await login(url), 'content-type': 'application/json' }
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
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  }
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
