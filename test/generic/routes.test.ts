/** What routes may do by their methods: reading changes nothing, deleting takes no body, a route is written once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { virtualClock } from '../../src/kernel/clock.ts'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import { addressed, belongings } from '../attacks/belongings.ts'
import { installation } from '../attacks/installation.ts'
import { extended, headersAt, nobody, surface } from '../attacks/surface.ts'

/** As upstream has it: to be asked for is to be made, the first time. This list may only shrink. */
const making = ['network.auto_allocated_topology.show', 'network.security_groups.list']

test('no GET changes anything', async () => {
  // Nothing happens by itself: no host reports, nothing is looked at again.
  await using cloud = await serverCloud({ world: await newWorld(virtualClock()), set: extended })
  const owner = await cloud.project('owner')
  const ids = await installation(cloud, await belongings(cloud, owner), owner)
  const admin = await cloud.admin()
  const changes = async () => {
    const { rows } = await sql<{ n: number }>`select total_changes() as n`.execute(cloud.env.database.root)
    return rows[0]!.n
  }
  const changed = new Set<string>()
  let good = 0
  for (const one of surface.filter(({ operation }) => operation.method === 'GET' && !operation.raw)) {
    for (const { token } of [owner, admin]) {
      const before = await changes()
      const headers = { accept: 'application/json', ...headersAt(one) }
      const { status } = await cloud.request('GET', addressed(one, ids, nobody), { token, headers })
      if (status < 300) good++
      if ((await changes()) !== before) changed.add(one.operation.id)
    }
  }
  assert.ok(good > 200, `${good} good answers`)
  assert.deepEqual(
    [...changed].filter(id => !making.includes(id)),
    [],
  )
  assert.ok(changed.size > 0, 'changes are seen')
})

test('no DELETE takes a body', () => {
  const taking = surface.filter(
    ({ operation }) => operation.method === 'DELETE' && (operation.request || operation.takes),
  )
  assert.deepEqual(
    taking.map(({ operation }) => operation.id),
    [],
  )
})

test('a method, a path and an action are one operation, and paths differ by more than the names of their parameters', () => {
  const forms = Map.groupBy(surface, ({ service, operation: { method, path, action = '' } }) =>
    [method, service.path + path.replace(/\{\w+(\*?)\}/g, '{$1}'), action].join(' '),
  )
  const twice = [...forms].filter(
    ([, found]) => found.length > 1 && !areOfOtherVersions(found.map(one => one.operation)),
  )
  assert.deepEqual(
    twice.map(([form, found]) => [form, found.map(one => one.operation.id)]),
    [],
  )
})

/** An operation may end with the version before that from which on another is in its place. */
const areOfOtherVersions = (operations: readonly { versions?: { min?: string; max?: string } }[]) =>
  operations.filter(({ versions }) => versions?.max === undefined).length <= 1
