/** A cloud that keeps nothing on its disk is asked what came of a request. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempDisposableSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'

const main = join(import.meta.dirname, '../main.ts')

async function urlOf(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    text += chunk
    const ready = /^ready (http\S+)/m.exec(text)
    if (ready) return ready[1]!
  }
  throw new Error(`it ended: ${text}`)
}

test('nephos trace tells of a cloud that is --ephemeral, as long as it runs', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'nephos-trace-'))
  const data = folder.path
  const trace = (id: string) =>
    new Promise<{ code: number; out: string; said: string }>(done =>
      execFile(process.execPath, [main, 'trace', id, '--data', data], (error, out, said) =>
        done({ code: error ? Number(error.code) : 0, out, said }),
      ),
    )
  const words = ['up', '--simulated', '--ephemeral', '--port', '0', '--data', data]
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const url = await urlOf(child)
    child.stdout.resume()
    const post = (path: string, body: object, token = '') =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-auth-token': token },
        body: JSON.stringify(body),
      })
    const { password } = parse(readFileSync(join(data, 'clouds.yaml'), 'utf8')).clouds['nephos-admin'].auth
    const user = { name: 'admin', domain: { id: 'default' }, password }
    const scope = { project: { name: 'admin', domain: { id: 'default' } } }
    const auth = { identity: { methods: ['password'], password: { user } }, scope }
    const token = (await post('/identity/v3/auth/tokens', { auth })).headers.get('x-subject-token')!
    const made = await post('/compute/v2.1/os-aggregates', { aggregate: { name: 'racks' } }, token)
    const request = made.headers.get('x-openstack-request-id')!
    const told = await trace(request)
    assert.equal(told.code, 0, told.said)
    assert.match(told.out, /event aggregate\.create/)
    assert.match((await trace('req-none')).said, /^Nothing is known of request req-none/)
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  }
  const { code, said } = await trace('req-none')
  assert.deepEqual([code, /no database is kept in .*--ephemeral keeps none/.test(said)], [1, true])
})
