/** A cloud whose API is served by several processes: what one of them knows all do, and one that dies takes nothing along. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, errand, login } from './http.ts'
import type { Answered, Asked } from './requests.ts'
import { childrenOf, createStage, isRunning, missingForClient, type Stage } from './stage.ts'

const skip = missingForClient()
const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private']
const flags = ['--simulated', '--hosts', '3', '--workers', '2']

/** The processes that serve the API. */
const workers = (stage: Stage) => childrenOf(stage.pid()!).filter(({ command }) => command.includes('cli/worker.ts'))

/** Requests that one process answers: the others hold still meanwhile. */
async function alone(stage: Stage, { pid }: { pid: number }, asked: Asked[]): Promise<Answered[]> {
  const others = workers(stage).filter(other => other.pid !== pid)
  for (const other of others) process.kill(other.pid, 'SIGSTOP')
  try {
    return await errand(stage, asked)
  } finally {
    for (const other of others) process.kill(other.pid, 'SIGCONT')
  }
}

/** How often a process was started in place of one that had died. */
const replaced = (stage: Stage) =>
  readFileSync(join(stage.data, 'nephos.log'), 'utf8').split('an API process serves in its place').length - 1

interface Server {
  id: string
  name: string
  status: string
  fault?: unknown
}

async function servers(stage: Stage, token: string): Promise<Server[]> {
  const path = '/compute/v2.1/servers/detail?limit=1000'
  return (await call<{ servers: Server[] }>(stage, 'GET', path, token))!.body.servers
}

async function firstId(stage: Stage, token: string, path: string, collection: string): Promise<string> {
  const answer = await call<Record<string, { id: string }[]>>(stage, 'GET', path, token)
  return answer!.body[collection]![0]!.id
}

test('an API of two processes', { skip, timeout: 600_000 }, async t => {
  await using stage = await createStage({ flags })
  const demo = await login(stage, 'nephos')
  const admin = await login(stage, 'nephos-admin')

  await t.test('the unmodified client makes, lists and deletes a server', async () => {
    assert.equal(workers(stage).length, 2)
    assert.equal((await stage.json<{ status: string }>([...create, '--wait', 'one'])).status, 'ACTIVE')
    assert.match(await stage.os(['server', 'list']), /one/)
    await stage.os(['server', 'delete', '--wait', 'one'])
    assert.deepEqual(await stage.json(['server', 'list']), [])
  })

  await t.test('a token that is revoked by one process is refused by the other at once', async () => {
    const path = '/identity/v3/auth/projects'
    for (let round = 0; round < 4; round++) {
      const [one, other] = round % 2 === 0 ? workers(stage) : workers(stage).reverse()
      const token = await login(stage, 'nephos')
      const ask = { method: 'GET', path, token }
      const revoke = {
        method: 'DELETE',
        path: '/identity/v3/auth/tokens',
        token,
        headers: { 'x-subject-token': token },
      }
      for (const process of [one!, other!]) assert.equal((await alone(stage, process, [ask]))[0]!.status, 200)
      assert.equal((await alone(stage, one!, [revoke]))[0]!.status, 204)
      assert.equal((await alone(stage, other!, [ask]))[0]!.status, 401)
    }
  })

  await t.test('a role that is taken away counts everywhere at once', async () => {
    const path = '/identity/v3/users'
    const user = { name: 'eve', password: 'eve', domain_id: 'default' }
    const made = await call<{ user: { id: string } }>(stage, 'POST', path, admin, { user })
    const project = await firstId(stage, admin, '/identity/v3/projects?name=demo', 'projects')
    const role = await firstId(stage, admin, '/identity/v3/roles?name=reader', 'roles')
    const grant = `/identity/v3/projects/${project}/users/${made!.body.user.id}/roles/${role}`
    const identity = {
      methods: ['password'],
      password: { user: { name: 'eve', password: 'eve', domain: { id: 'default' } } },
    }
    const auth = {
      method: 'POST',
      path: '/identity/v3/auth/tokens',
      body: { auth: { identity, scope: { project: { id: project } } } },
    }
    const [one, other] = workers(stage)
    for (const [method, status] of [
      ['PUT', 201],
      ['DELETE', 401],
    ] as const) {
      assert.equal((await alone(stage, one!, [{ method, path: grant, token: admin }]))[0]!.status, 204)
      for (const process of [one!, other!]) assert.equal((await alone(stage, process, [auth]))[0]!.status, status)
    }
  })

  await t.test('an image goes in by one process and out by any', async () => {
    const file = join(stage.dir, 'disk.raw')
    writeFileSync(file, Buffer.alloc(3_000_000, 'nephos '))
    const upload = ['image', 'create', '--disk-format', 'raw', '--container-format', 'bare', '--file', file, 'big']
    const { id } = await stage.json<{ id: string }>(upload)
    const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex')
    const came = join(stage.dir, 'came')
    for (let n = 0; n < 4; n++) {
      const url = `http://127.0.0.1:8774/image/v2/images/${id}/file`
      const { out } = await stage.run('curl', [
        '-s',
        '-H',
        `x-auth-token: ${demo}`,
        '-o',
        came,
        '-w',
        '%{http_code}',
        url,
      ])
      assert.equal(out, '200')
      assert.equal(md5(readFileSync(came)), md5(readFileSync(file)))
    }
  })

  await t.test('consoles are carried by every process', async () => {
    const { id } = await stage.json<{ id: string }>([...create, '--wait', 'seen'])
    const remote_console = { protocol: 'serial', type: 'serial' }
    const asked = {
      method: 'POST',
      path: `/compute/v2.1/servers/${id}/remote-consoles`,
      token: demo,
      body: { remote_console },
    }
    for (const { status, body } of await errand(stage, [{ ...asked, times: 4 }])) {
      assert.equal(status, 200)
      const { url } = JSON.parse(body).remote_console as { url: string }
      // Each connection comes to another process than the one that gave the address.
      const upgrade = ['connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13']
      const headers = [...upgrade, 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='].flatMap(h => ['-H', h])
      const { out } = await stage.run('curl', ['-s', '-i', '-m', '1', ...headers, url.replace('ws:', 'http:')])
      assert.match(out, /^HTTP\/1\.1 101 /)
    }
    await stage.os(['server', 'delete', '--wait', 'seen'])
  })

  await t.test('health and numbers are those of the whole cloud, whoever is asked', async () => {
    const asked = { method: 'GET', path: '/healthcheck', times: 4 }
    for (const { status, body } of await errand(stage, [asked])) {
      assert.equal(status, 200)
      const parts = ['bus', 'database', 'host_networks', 'hosts', 'sagas']
      assert.deepEqual(Object.keys(JSON.parse(body).parts).sort(), parts)
    }
    const { out } = await stage.run('curl', ['-s', 'http://127.0.0.1:8774/metrics'])
    for (const name of ['main', 'api-1', 'api-2']) assert.match(out, new RegExp(`process="${name}"`))
    // Sagas run in the main process alone, wherever they were begun.
    assert.match(out, /^nephos_saga_step_seconds_count\{.*process="main".*\}/m)
    assert.doesNotMatch(out, /^nephos_saga_step_seconds_count\{.*process="api-.*\}/m)
  })

  await t.test('processes are killed in the middle of requests, and nothing that was accepted is lost', async () => {
    await stage.os(['quota', 'set', '--instances', '1000', '--cores', '1000', '--ram', '1000000', 'demo'], {
      as: 'nephos-admin',
    })
    const flavorRef = await firstId(stage, demo, '/compute/v2.1/flavors?sort_key=memory_mb', 'flavors')
    const imageRef = await firstId(stage, demo, '/image/v2/images?name=tiny', 'images')
    const server = { name: 'many', flavorRef, imageRef, networks: 'none' }
    const asked = [{ method: 'POST', path: '/compute/v2.1/servers', token: demo, body: { server }, times: 300 }]
    const created = errand(stage, asked, 8)
    for (let n = 1; n <= 3; n++) {
      await sleep(400)
      process.kill(workers(stage)[n % 2]!.pid, 'SIGKILL')
      await stage.until('another serves in its place', async () => replaced(stage) === n, { every: 50 })
    }
    const answers = await created
    const accepted = answers
      .filter(({ status }) => status === 202)
      .map(({ body }) => JSON.parse(body).server.id as string)
    const strange = answers.filter(({ status }) => status !== 202 && status !== 0)
    assert.deepEqual(strange, [])
    assert.ok(accepted.length > 50, `only ${accepted.length} of ${answers.length} were accepted`)
    t.diagnostic(`${accepted.length} of ${answers.length} accepted, the other connections broke`)
    await stage.until('all servers are built', async () =>
      (await servers(stage, demo)).every(s => s.status !== 'BUILD'),
    )
    const found = await servers(stage, demo)
    assert.deepEqual(
      new Set(found.map(({ status }) => status)),
      new Set(['ACTIVE']),
      JSON.stringify(found.find(s => s.status !== 'ACTIVE')),
    )
    const ids = new Set(found.map(({ id }) => id))
    assert.deepEqual(
      accepted.filter(id => !ids.has(id)),
      [],
    )
    assert.equal(workers(stage).length, 2)

    const deletes = found.map(({ id }) => ({ method: 'DELETE', path: `/compute/v2.1/servers/${id}`, token: demo }))
    assert.ok((await errand(stage, deletes, 8)).every(({ status }) => status === 204))
    await stage.until('all are gone', async () => (await servers(stage, demo)).length === 0)
  })

  await t.test('SIGTERM ends all processes with 0; the next up, with one process, has everything', async () => {
    await stage.os([...create, '--wait', 'kept'])
    const pids = workers(stage).map(({ pid }) => pid)
    assert.equal(await stage.stop(), 0)
    assert.deepEqual(pids.filter(isRunning), [])
    await stage.up(['--simulated', '--hosts', '3'])
    assert.match(await stage.os(['server', 'list']), /kept/)
    assert.equal(await stage.stop(), 0)
  })
})

test('the processes of an API end with the one that started them, however it ends', { skip }, async () => {
  await using stage = await createStage({ flags: [...flags, '--ephemeral'] })
  const pids = workers(stage).map(({ pid }) => pid)
  assert.equal(pids.length, 2)
  await stage.kill()
  await stage.until('they end', async () => pids.filter(isRunning).length === 0, { timeout: 10_000, every: 50 })
})
