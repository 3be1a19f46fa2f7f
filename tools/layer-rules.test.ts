/** Each rule of the architecture, broken on purpose. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complaintsAbout, importComplaint, importsOf } from './layer-rules.ts'

/** Complaints about files given as path and text, without the reasons. */
function about(files: Record<string, string>): string[] {
  const texts = Object.entries(files).map(([path, text]) => [path, `/** A file. */\n${text}`] as const)
  return complaintsAbout(new Map(texts)).map(line => line.replace(/: (the|a|commands|main|files)\b .*$/, ''))
}

const server = 'src/services/compute/servers/create.ts'

test('every way to write an import is seen', () => {
  const source = [
    "import './a.ts'",
    "import { b } from './b.ts'",
    "import type { C } from './c.ts'",
    "import {\n  d,\n  type D,\n} from './d.ts'",
    "export { e } from './e.ts'",
    "const f = await import('./f.ts')",
    "type G = typeof import('./g.ts')",
  ].join('\n')
  assert.deepEqual(
    importsOf(source).map(({ specifier, typeOnly, dynamic }) => [specifier[2], typeOnly, dynamic]),
    [
      ['a', false, false],
      ['b', false, false],
      ['c', true, false],
      ['d', false, false],
      ['e', false, false],
      ['f', false, true],
      ['g', true, true],
    ],
  )
})

test("the program takes Node's http without what an import of it loads; its types are free, and tests are", () => {
  const value = "import { request } from 'node:http'"
  const files = {
    'src/kernel/a.ts': value,
    'src/kernel/b.ts': value.replace('import', 'import type'),
    'src/kernel/c.test.ts': value,
  }
  assert.deepEqual(
    about(files).map(line => line.split(',')[0]),
    ['src/kernel/a.ts: imports node:http: all of undici is loaded with it at each start'],
  )
})

test('a resource may use the kernel, its folder, its siblings at their public files, and types of contracts', () => {
  const allowed: [string, boolean][] = [
    ['src/kernel/operation.ts', false],
    ['src/services/compute/servers/store.ts', false],
    ['src/services/compute/flavors/flavor.ts', false],
    ['src/services/compute/flavors/store.ts', false],
    ['src/services/compute/server-groups/steps.ts', false],
    ['src/services/compute/config.ts', false],
    ['src/services/compute/agent/methods.ts', true],
    ['src/services/network/contract.ts', true],
  ]
  for (const [target, typeOnly] of allowed) assert.equal(importComplaint(server, target, typeOnly), undefined, target)

  const refused: [string, boolean][] = [
    ['src/services/compute/flavors/create.ts', false],
    ['src/services/compute/agent/methods.ts', false],
    ['src/services/network/contract.ts', false],
    ['src/services/network/ports/store.ts', true],
    ['src/services/compute/drivers/qemu/qmp.ts', true],
    ['src/cloud.ts', true],
  ]
  for (const [target, typeOnly] of refused) assert.ok(importComplaint(server, target, typeOnly), target)
})

test('the kernel, the scheduler, agents and drivers stay in their places', () => {
  assert.ok(importComplaint('src/kernel/http/server.ts', 'src/services/compute/service.ts', true))
  assert.ok(importComplaint('src/services/compute/scheduler/rank.ts', 'src/kernel/clock.ts', true))
  assert.ok(importComplaint('src/services/compute/agent/agent.ts', 'src/kernel/db/database.ts', true))
  assert.ok(importComplaint('src/services/compute/agent/agent.ts', 'src/services/compute/servers/store.ts', true))
  assert.ok(importComplaint('src/services/compute/drivers/qemu/spawn.ts', 'src/services/compute/drivers/fake.ts', true))
  assert.equal(
    importComplaint('src/services/compute/drivers/qemu/spawn.ts', 'src/services/compute/drivers/driver.ts', false),
    undefined,
  )
  assert.match(importComplaint('src/attic/old.ts', 'src/kernel/ids.ts', false) ?? '', /no row/)
})

test('time and chance come from kernel/clock.ts and kernel/ids.ts, and comments may speak of them', () => {
  assert.deepEqual(about({ [server]: 'const now = Date.now()' }), [
    `${server}: 'Date.now': take a Clock or Ids (kernel/clock.ts, kernel/ids.ts)`,
  ])
  assert.deepEqual(about({ [server]: '// never Date.now()\n/* nor setTimeout */' }), [])
  assert.deepEqual(about({ 'src/kernel/clock.ts': 'const now = Date.now()' }), [])
})

test('a table is named by the stores and migrations of its service alone', () => {
  const migration = "await sql`create table compute_servers (id text)`.execute(db)\ndb.createTable('servers')"
  const files = {
    'src/services/compute/migrations/0001-servers.ts': migration,
    'src/services/compute/servers/store.ts': "db.selectFrom('compute_servers')",
    'src/services/compute/servers/store-archive.ts': "db.selectFrom('compute_servers')",
    [server]: "db.selectFrom('compute_servers')",
    'src/services/network/ports/store.ts': "db.selectFrom('compute_servers')",
  }
  assert.deepEqual(about(files), [
    'src/services/compute/migrations: table servers lacks the prefix of its service',
    `${server}: names table compute_servers: only store.ts and migrations/ do`,
    'src/services/network/ports/store.ts: names compute_servers, a table of compute: use its contract.ts',
  ])
})

test('cycles, barrels, default exports, empty names and unlisted packages are refused', () => {
  assert.deepEqual(
    about({ 'src/kernel/a.ts': "import { b } from './b.ts'", 'src/kernel/b.ts': "import { a } from './a.ts'" }),
    ['src/kernel/a.ts: import cycle src/kernel/a.ts -> src/kernel/b.ts -> src/kernel/a.ts'],
  )
  assert.deepEqual(
    about({ 'src/kernel/a.ts': "import type { B } from './b.ts'", 'src/kernel/b.ts': "import { a } from './a.ts'" }),
    [],
  )
  assert.equal(about({ 'src/kernel/all.ts': "export * from './a.ts'" }).length, 1)
  assert.equal(about({ 'src/kernel/a.ts': 'export default 1' }).length, 1)
  assert.equal(about({ 'src/kernel/utils/a.ts': '' }).length, 1)
  assert.equal(about({ 'src/kernel/typesOfA.ts': '' }).length, 1)
  assert.equal(about({ 'src/kernel/a.ts': `class Server${'Manager'} {}` }).length, 1)
  assert.equal(about({ 'src/kernel/a.ts': "import _ from 'lodash'" }).length, 1)
  assert.equal(about({ 'src/kernel/a.ts': "import fs from 'fs'" }).length, 1)
  assert.equal(about({ 'src/kernel/http/a.ts': "import { b } from '#kernel/b.ts'" }).length, 1)
})
