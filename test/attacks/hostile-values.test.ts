/** Hostile values in every field of every body and in every query: refused in words or taken as they are, never a 500; attack case 24. */
import assert from 'node:assert/strict'
import { systemClock } from '../../src/kernel/clock.ts'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import { onEachEngine } from '../engines.ts'
import { type TestCloud, testCloud } from '../harness.ts'
import { addressed, belongings, publicKey } from './belongings.ts'
import { leaves, sample, withLeaf } from './sample.ts'
import {
  bodySchema,
  contentType,
  extended,
  headersAt,
  nobody,
  type Reachable,
  surface,
  takesBody,
  urlOf,
} from './surface.ts'
import { wholeBodies } from './whole-bodies.ts'

const hostileStrings = [
  "'; drop table identity_users; --",
  '" or 1=1 or "',
  'nul \0 inside',
  '\ud800 half of a pair',
  '%00%s%n{{7*7}}<!--#exec-->',
  '../../../../etc/passwd',
  'a'.repeat(70_000),
  '',
]
const hostileNumbers = [-1, 0, 2 ** 31, 2 ** 53, 1e308, 0.5]

/** Leaks that no answer may have: stack traces, SQL, paths of ours. */
const leak = /\bat [\w.<>]+ \(|node:internal|SQLITE_|select \* from|insert into "|\/src\/(kernel|services)\//i

async function send(cloud: TestCloud, token: string, one: Reachable, url: string, body?: unknown, version?: string) {
  const answer = await cloud.request(one.operation.method, url, {
    token,
    headers: { ...headersAt(one, version), ...(body !== undefined && contentType(one)) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = JSON.stringify(answer.body)
  const about = `${one.operation.method} ${url.slice(0, 200)} (${one.operation.id}) with ${JSON.stringify(body)?.slice(0, 300)}`
  assert.ok(answer.status < 500 || answer.status === 501, `${about}: ${answer.status} ${text.slice(0, 300)}`)
  assert.doesNotMatch(text, leak, about)
  return answer
}

/** What would change the one who asks would end the test, not prove anything. */
const spared = new Set(['identity.tokens.revoke', 'identity.tokens.issue'])

onEachEngine('in every field of every body', async database => {
  await using cloud = await testCloud({ database, set: extended })
  const token = await cloud.login('admin')
  let sent = 0
  for (const one of surface) {
    if (!takesBody(one) || spared.has(one.operation.id)) continue
    const good = sample(bodySchema(one)!)
    await send(cloud, token, one, urlOf(one), good)
    for (const { path, value } of leaves(good)) {
      const hostile = typeof value === 'string' ? hostileStrings : typeof value === 'number' ? hostileNumbers : []
      for (const bad of [...hostile, null, [], {}]) {
        await send(cloud, token, one, urlOf(one), withLeaf(good, path, bad))
        sent++
      }
    }
  }
  assert.ok(sent > 1000)
  assert.ok(await cloud.env.authenticate(token))
})

onEachEngine('in every field of bodies about things that are there', async database => {
  await using cloud = await serverCloud({ world: await newWorld(systemClock(), database), set: extended })
  const ids = await belongings(cloud, await cloud.project('owner'))
  const token = await cloud.login('admin')
  const unreached: Record<string, unknown> = {}
  for (const [id, good] of Object.entries(wholeBodies(ids, publicKey))) {
    const one = surface.find(({ operation }) => operation.id === id)
    assert.ok(one, `there is no operation ${id}`)
    const codes = new Set<number>()
    for (const { path, value } of leaves(good)) {
      const hostile = typeof value === 'string' ? hostileStrings : typeof value === 'number' ? hostileNumbers : []
      for (const bad of [...hostile, null, [], {}, 'x', -1]) {
        codes.add((await send(cloud, token, one, addressed(one, ids, nobody), withLeaf(good, path, bad))).status)
      }
    }
    const last = await send(cloud, token, one, addressed(one, ids, nobody), good)
    codes.add(last.status)
    if (![200, 201, 202, 204].some(code => codes.has(code))) unreached[id] = last.body
  }
  // Else nothing behind the first check was tried.
  assert.deepEqual(unreached, {})
  await cloud.env.sagas.idle()
})

const everywhere = ['limit', 'marker', 'name', 'id', 'constructor', 'toString']
const queryNames: Record<string, string[]> = {
  identity: ['enabled', 'domain_id', 'name__contains', 'tags', 'user.id', 'scope.project.id'],
  network: ['sort_key', 'sort_dir', 'fields', 'page_reverse', 'tags', 'status', 'fixed_ips', 'revision_number'],
  placement: ['resources', 'required', 'member_of', 'in_tree', 'group_policy', 'root_required'],
  image: [
    'sort_key',
    'sort_dir',
    'sort',
    'size_min',
    'min_ram',
    'created_at',
    'visibility',
    'tag',
    'status',
    'member_status',
  ],
  compute: ['sort_key', 'sort_dir', 'changes-since', 'all_tenants', 'ip', 'flavor', 'host', 'locked', 'start'],
}

const lists = surface.filter(({ operation }) => operation.method === 'GET' && !/\}$/.test(operation.path))
const hostileQueries = ['9999999999', hostileStrings[0]!, 'nul \0 inside', '-1', '9'.repeat(30)]

onEachEngine('in every query', async database => {
  await using cloud = await testCloud({ database, set: extended })
  const token = await cloud.login('admin')
  for (const one of lists) {
    for (const name of [...everywhere, ...(queryNames[one.service.type] ?? [])]) {
      for (const bad of hostileQueries) {
        const value = encodeURIComponent(bad.toWellFormed())
        await send(cloud, token, one, `${urlOf(one)}?${name}=${value}`)
      }
      await send(cloud, token, one, `${urlOf(one)}?${name}=a&${name}=b&${name}[x]=1&${name}`)
    }
    await send(cloud, token, one, `${urlOf(one)}?%ff%fe=%c0%80&=&&&;`)
  }
})

onEachEngine('in every path', async database => {
  await using cloud = await testCloud({ database, set: extended })
  const token = await cloud.login('admin')
  for (const one of surface) {
    if (!one.operation.path.includes('{') || one.operation.raw) continue
    const body = takesBody(one) ? sample(bodySchema(one)!) : undefined
    for (const bad of [...hostileStrings.filter(value => value !== '' && value.length < 1000), '9999999999']) {
      for (const version of [undefined, one.operation.versions?.min ?? one.service.microversions?.min]) {
        await send(cloud, token, one, urlOf(one, bad.toWellFormed()), body, version)
      }
    }
  }
})
