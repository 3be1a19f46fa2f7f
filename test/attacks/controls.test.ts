/** The controls of a simulated cloud are open to whoever reaches its port: nothing that is sent to them breaks it, and no web page gets to them. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { problemOf } from '../../src/kernel/schema/validate.ts'
import type { TestCloud } from '../../src/simulated/controls.ts'
import { clientOf } from '../../src/simulated/fixtures/client.ts'
import { fits } from '../../src/simulated/pattern.ts'
import { controlOperations } from '../../src/simulated/service.ts'
import { startCloud } from '../../src/simulated/start-cloud.ts'
import { leaves, nodes, sample, withLeaf } from './sample.ts'

type Control = (typeof controlOperations)[number]

const hostile = [
  "'; drop table identity_users; --",
  'nul \0 inside',
  '../../../../etc/passwd',
  '*'.repeat(200),
  'a'.repeat(70_000),
  '',
  ...[-1, 2 ** 53, 1e308, 0.5, true, null],
  ...[[], [{}], { a: 1 }],
]

const leak = /\bat [\w.<>]+ \(|node:internal|SQLITE_|\/src\/(kernel|simulated)\//i

const someone = (path: string) => (path.startsWith('/hosts/') ? 'host-1' : 'nobody')

const urlOf = ({ path }: Control, value = someone(path)) => path.replace(/\{\w+\}/g, encodeURIComponent(value))

async function send({ url }: TestCloud, method: string, path: string, body?: unknown) {
  const answer = await fetch(`${url}/_nephos${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const isJson = answer.headers.get('content-type')?.includes('json')
  const bytes = await answer.bytes()
  const text = isJson ? Buffer.from(bytes).toString() : ''
  const asked = `${method} ${path.slice(0, 200)} with ${JSON.stringify(body)?.slice(0, 300)}`
  const about = `${asked}: ${answer.status} ${text.slice(0, 500)}`
  assert.ok(answer.status < 500, about)
  assert.doesNotMatch(text, leak, about)
  return { status: answer.status, text, about }
}

/** Bodies that would do so much that they take long. */
const spared = { hosts: 1, projects: 1, servers: 1, seconds: 1, limit_seconds: 1 }

function goodBody(one: Control): unknown {
  const good = sample(one.request!) as Record<string, unknown>
  const small = Object.fromEntries(Object.entries(spared).filter(([name]) => name in good))
  const fault = { kind: 'answer', status: 503, operation: 'compute.keypairs.list', times: 2, message: 'no' }
  return 'fault' in good ? { fault } : { ...good, ...small }
}

const withBody = controlOperations.filter(one => one.request !== undefined)

test('every field of every body: what the schema refuses is a 400, all else does not break the cloud', async () => {
  await using cloud = await startCloud()
  let refused = 0
  for (const one of withBody) {
    const good = goodBody(one)
    assert.ok((await send(cloud, one.method, urlOf(one), good)).status < 300, one.id)
    for (const { path } of nodes(good)) {
      for (const bad of hostile) {
        const body = withLeaf(good, path, bad)
        if (!problemOf(one.request!, structuredClone(body))) continue
        const { status, about } = await send(cloud, one.method, urlOf(one), body)
        assert.equal(status, 400, about)
        refused++
      }
    }
    for (const { path } of leaves(good)) await send(cloud, one.method, urlOf(one), withLeaf(good, path, 'a'))
    await send(cloud, one.method, urlOf(one), JSON.parse('{"__proto__": {"polluted": true}}'))
  }
  assert.ok(refused > 100, `${refused} bodies`)
  assert.equal('polluted' in {}, false)
  await cloud.reset()
  await clientOf(cloud)
})

test('every query and every path', async () => {
  await using cloud = await startCloud()
  const values = hostile.filter(value => typeof value === 'string' && value.length < 10_000).map(String)
  for (const one of controlOperations) {
    if (one.method !== 'GET' && !one.path.includes('{')) continue
    for (const bad of values) {
      if (one.path.includes('{')) await send(cloud, one.method, urlOf(one, bad || '0'))
      for (const name of Object.keys((one.query as { properties?: object } | undefined)?.properties ?? { any: 0 }))
        await send(cloud, one.method, `${urlOf(one)}?${name}=${encodeURIComponent(bad)}&${name}=b&%ff=%c0`)
    }
  }
  await clientOf(cloud)
})

test('answers that a test asks for are sent or refused, whatever their headers say of them', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const odd = [
    { 'Content-Type': 'x' },
    { 'set-cookie': 'a=b' },
    { date: 'never' },
    { 'x-a': ' \t' },
    { 'retry-after': '' },
  ]
  for (const status of [200, 204, 304, 404, 599]) {
    for (const headers of odd) {
      for (const body of [undefined, 'text', { a: 1 }]) {
        await cloud.faults.clear()
        const operation = 'compute.keypairs.list'
        const fault = { kind: 'answer', status, headers, operation, ...(body !== undefined && { body }) }
        const { status: added } = await send(cloud, 'POST', '/faults', { fault })
        const answer = await fetch(`${cloud.url}/compute/v2.1/os-keypairs`, {
          headers: { 'x-auth-token': client.token },
        })
        await answer.bytes()
        if (added === 201) assert.equal(answer.status, status, JSON.stringify(fault))
      }
    }
  }
  for (const name of ['Content-Length', 'transfer-encoding', 'connection', 'upgrade']) {
    const fault = { kind: 'answer', status: 200, headers: { [name]: '3' } }
    assert.equal((await send(cloud, 'POST', '/faults', { fault })).status, 400, name)
  }
  await cloud.faults.clear()
  assert.equal((await client.ask('GET', '/compute/v2.1/os-keypairs')).status, 200)
})

test('patterns are matched in time that does not explode', () => {
  const pattern = `${'*a'.repeat(120)}*b`
  assert.equal(fits(pattern, 'a'.repeat(8_000)), false)
  assert.equal(fits(pattern, `${'a'.repeat(8_000)}b`), true)
})

test('what is asked for is bounded', async () => {
  await using cloud = await startCloud()
  const fault = { kind: 'delay', seconds: 0, path: '/x' }
  for (let n = 0; n < 1000; n++) await cloud.faults.add(fault as Parameters<typeof cloud.faults.add>[0])
  assert.match((await send(cloud, 'POST', '/faults', { fault })).text, /1000 faults already/)
  await cloud.faults.clear()
  for (const [path, body] of [
    ['/fill', { servers: 100_001 }],
    ['/fill', { hosts: 1e9 }],
    ['/clock/advance', { seconds: 1e9 }],
    ['/clock/run', { speed: 1e9 }],
    ['/faults', { fault: { ...fault, path: 'a'.repeat(3000) } }],
  ] as const)
    assert.equal((await send(cloud, 'POST', path, body)).status, 400)
  const large = { fault: { kind: 'answer', status: 200, body: 'a'.repeat(30_000_000) } }
  assert.equal((await send(cloud, 'POST', '/faults', large)).status, 413)
})

/** The status of the answer to a request that says how long its body is, and sends none of it. */
function announced({ url }: TestCloud, bytes: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const headers = { 'content-length': bytes, 'content-type': 'application/vnd.sqlite3' }
  const asked = request(`${url}/_nephos/snapshot`, { method: 'PUT', headers })
  asked.once('response', answer => {
    resolve(answer.statusCode!)
    asked.destroy()
  })
  asked.once('error', reject)
  asked.flushHeaders()
  return promise
}

test('a snapshot that is too large is refused before it is read', async () => {
  await using cloud = await startCloud()
  assert.equal(await announced(cloud, 2 * 1024 ** 3), 413)
})

/** A snapshot with something else in one of its parts, or in its database. */
function changed(file: Uint8Array, change: (database: DatabaseSync) => void): Uint8Array {
  using database = new DatabaseSync(':memory:')
  database.deserialize(file)
  change(database)
  return database.serialize()
}

const aboutPart = (change: (about: Record<string, unknown>) => void) => (database: DatabaseSync) => {
  const { content } = database.prepare("select content from simulated_parts where name = 'about'").get() as {
    content: Uint8Array
  }
  const about = JSON.parse(Buffer.from(content).toString())
  change(about)
  database
    .prepare("update simulated_parts set content = ? where name = 'about'")
    .run(Buffer.from(JSON.stringify(about)))
}

test('snapshots of strangers: what is in them leads out of no folder, and what is broken is refused', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'nephos-attack-'))
  try {
    await using cloud = await startCloud()
    const client = await clientOf(cloud)
    await client.createServer('here')
    const file = await cloud.snapshot()
    const precious = join(outside, 'precious')
    mkdirSync(precious)
    writeFileSync(join(precious, 'file'), 'x')
    const up = '../'.repeat(20) + precious.slice(1)
    const wrong: Record<string, Uint8Array> = {
      'a host that leads out': changed(
        file,
        aboutPart(about => Object.assign(about, { hosts: { [up]: {} } })),
      ),
      'a guest that leads out': changed(
        file,
        aboutPart(about => Object.assign(about, { hosts: { 'host-1': { [`${up}/x`]: { spec: {} } } } })),
      ),
      'hosts that are none': changed(
        file,
        aboutPart(about => Object.assign(about, { hosts: 7 })),
      ),
      'passwords that are none': changed(
        file,
        aboutPart(about => Object.assign(about, { passwords: { admin: {} } })),
      ),
      'time that is none': changed(
        file,
        aboutPart(about => Object.assign(about, { time: { now: 'x', speed: -1 } })),
      ),
      'nothing said of itself': changed(file, database => database.exec('delete from simulated_parts')),
      'an image that leads out': changed(file, database =>
        database.prepare('insert into simulated_parts values (?, ?)').run(`image/${up}/y`, Buffer.from('x')),
      ),
      'the first half of one': file.subarray(0, file.length / 2),
      'one with a page of noise': Buffer.from(file).fill(0xa5, 8192, 3 * 4096 + 8192),
    }
    for (const [what, bytes] of Object.entries(wrong)) {
      const answer = await fetch(`${cloud.url}/_nephos/snapshot`, { method: 'PUT', body: Buffer.from(bytes) })
      assert.equal(answer.status, 400, `${what}: ${await answer.text()}`)
      assert.deepEqual(await client.servers(), ['here'], what)
    }
    assert.ok(existsSync(join(precious, 'file')))
  } finally {
    rmSync(outside, { recursive: true })
  }
})

test('a snapshot that no cloud can begin with leaves one that is as new', async () => {
  await using cloud = await startCloud()
  const file = await cloud.snapshot()
  const empty = changed(file, database => database.exec('drop table identity_users'))
  const answer = await fetch(`${cloud.url}/_nephos/snapshot`, { method: 'PUT', body: Buffer.from(empty) })
  assert.equal(answer.status, 400)
  assert.match(await answer.text(), /no cloud can begin with/i)
  assert.deepEqual(await (await clientOf(cloud)).servers(), [])
})

test('a page in a browser may use none of them', async () => {
  await using cloud = await startCloud()
  for (const one of controlOperations) {
    const { status } = await fetch(`${cloud.url}/_nephos${urlOf(one)}`, {
      method: one.method,
      headers: { origin: 'http://elsewhere.test', 'content-type': 'application/json' },
      ...(one.request && { body: JSON.stringify(goodBody(one)) }),
    })
    assert.equal(status, 403, one.id)
  }
})
