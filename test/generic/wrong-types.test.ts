/** What is of a wrong type, too long, too large or too much, in every field of every body: refused with 400 and nothing written, about things that are there, by those who may do all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { virtualClock } from '../../src/kernel/clock.ts'
import { problemOf } from '../../src/kernel/schema/validate.ts'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import { addressed, belongings, kinds, publicKey } from '../attacks/belongings.ts'
import { installation } from '../attacks/installation.ts'
import { nodes, sample, withLeaf } from '../attacks/sample.ts'
import {
  bodySchema,
  contentType,
  extended,
  headersAt,
  nobody,
  type Reachable,
  surface,
  takesBody,
} from '../attacks/surface.ts'
import { wholeBodies } from '../attacks/whole-bodies.ts'
import { checkedBodies, metadataThings, readNone } from './checked-bodies.ts'

const values: unknown[] = ['text', 0.5, true, null, [{}], { a: 1 }]

/** More of what is there already than anybody needs. */
function beyond(value: unknown): unknown[] {
  if (typeof value === 'string') return ['', 'a'.repeat(70_000)]
  if (typeof value === 'number') return [-1, 2 ** 60]
  if (Array.isArray(value)) return [[], Array(2000).fill(value[0] ?? 'a')]
  return typeof value === 'object' && value !== null ? [{}, { ...value, 'nobody knows this!': 1 }] : []
}

/** Bodies with one wrong value each: those that the schema refuses. */
function* wrongBodies(one: Reachable, good: unknown): Generator<unknown> {
  const schema = bodySchema(one)!
  for (const { path, value: had } of nodes(good)) {
    // The body of an action names it, else it is no body of this operation.
    if (one.operation.action && path.length === 0) continue
    for (const value of [...values, ...beyond(had)]) {
      const body = structuredClone(withLeaf(good, path, value))
      if (problemOf(schema, structuredClone(body))) yield body
    }
  }
}

/** What they are about is not there: a request token, a volume, a live migration under way. Their bodies are sent all the same. */
const aboutNothing = [
  'identity.oauth1.authorize',
  'compute.volume_attachments.update',
  'compute.server_migrations.force_complete',
  'compute.kept_files.image',
]

test('every operation refuses what its schema does, with 400, and writes nothing', async () => {
  // Time stands still, so that nothing writes but what is asked.
  await using cloud = await serverCloud({ world: await newWorld(virtualClock()), set: extended })
  const owner = await cloud.project('owner')
  const ids = await installation(cloud, await belongings(cloud, owner), owner)
  const whole = wholeBodies(ids, publicKey)
  // Who may, where an administrator may not.
  const others: Record<string, string> = {
    'identity.application_credentials.create': owner.token,
    'placement.reshaper.reshape': (await cloud.project('services', 'service')).token,
  }
  const admin = await cloud.login('admin')
  const other: Record<string, string> = {}
  const absent: string[] = []
  const written: string[] = []
  const changes = async () => {
    const { rows } = await sql<{ n: number }>`select total_changes() as n`.execute(cloud.env.database.root)
    return rows[0]!.n
  }
  let sent = 0
  for (const one of surface) {
    const { operation } = one
    if (!takesBody(one)) continue
    const missing = kinds(operation.path).filter(kind => !ids[kind])
    if (missing.length > 0) absent.push(operation.id)
    const before = await changes()
    for (const body of wrongBodies(one, whole[operation.id] ?? sample(bodySchema(one)!))) {
      const answer = await cloud.request(operation.method, addressed(one, ids, nobody), {
        token: others[operation.id] ?? admin,
        headers: { ...headersAt(one), ...contentType(one) },
        body: JSON.stringify(body),
      })
      sent++
      const about = `${answer.status} ${JSON.stringify(answer.body)} to ${JSON.stringify(body)}`.slice(0, 400)
      if (answer.status !== 400 && !(answer.status < 500 && missing.length > 0)) other[operation.id] ??= about
    }
    if ((await changes()) !== before) written.push(operation.id)
  }
  assert.deepEqual(other, {})
  assert.deepEqual(written, [])
  assert.deepEqual(absent, aboutNothing)
  assert.ok(sent > 5000, `${sent} bodies`)
})

/** A value is of another type than this one: none is like it. */
const wrongFor = (value: unknown): unknown[] =>
  Array.isArray(value)
    ? ['text', 7, true, { a: 1 }]
    : typeof value === 'object'
      ? ['text', 7, true, [7]]
      : [{ a: 1 }, [{}], [[]]]

/** What a metadata definition proposes may be anything, as upstream. */
const ofAnyType = /^image\.metadef_.*(default|enum\.0)$/

const bodyHeaders: Record<string, Record<string, string>> = {
  'image.images.update': { 'content-type': 'application/openstack-images-v2.1-json-patch' },
}

test('operations whose bodies no schema of JSON describes refuse values of another type, with 400', async () => {
  await using cloud = await serverCloud({ set: [...extended, 'image.stores={"web":{"type":"http"}}'] })
  const owner = await cloud.project('owner')
  const ids = await metadataThings(cloud, await installation(cloud, await belongings(cloud, owner), owner))
  const good = { ...wholeBodies(ids, publicKey), ...checkedBodies(ids) }
  const token = await cloud.login('admin')
  const other: Record<string, string> = {}
  const none: string[] = []
  let sent = 0
  for (const one of surface) {
    const { id, method, raw } = one.operation
    if (!['network', 'image'].includes(one.service.type) || raw || readNone.has(id)) continue
    if (!['POST', 'PUT', 'PATCH'].includes(method) || (one.service.type === 'network' && !takesBody(one))) continue
    if (!(id in good)) none.push(id)
    for (const { path, value } of nodes(good[id])) {
      if (ofAnyType.test(`${id} ${path.join('.')}`)) continue
      for (const bad of wrongFor(value)) {
        const answer = await cloud.request(method, addressed(one, ids, nobody), {
          token,
          headers: bodyHeaders[id] ?? contentType(one),
          body: JSON.stringify(withLeaf(good[id], path, bad)),
        })
        sent++
        const about = `${path.join('.')} ${JSON.stringify(bad)}: ${answer.status} ${JSON.stringify(answer.body)}`
        if (answer.status !== 400) other[`${id} ${path.join('.')}`] ??= about.slice(0, 300)
      }
    }
  }
  assert.deepEqual(none, [])
  assert.deepEqual(other, {})
  assert.ok(sent > 200, `${sent} bodies`)
})
