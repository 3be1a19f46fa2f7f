/** Extensions of operators: the sample in a folder, hooks that go wrong, and modules that are none. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { sql } from 'kysely'
import { systemClock } from '#kernel/clock.ts'
import { archived } from '#kernel/db/archive.ts'
import { messageOf } from '#kernel/errors.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { keptLog } from '../../../../test/kept-log.ts'
import { GuestError } from '../drivers/driver.ts'
import { type ServerCloud, type ServerCloudOptions, serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld } from '../servers/fixtures/world.ts'

const sample = join(import.meta.dirname, '../../../../examples/extensions')
const folder = mkdtempSync(join(tmpdir(), 'nephos-extensions-'))
after(() => rmSync(folder, { recursive: true }))

const listOf = (...paths: string[]) => `compute.extensions=${JSON.stringify(paths)}`

function cloudWith(paths: string[], { set = [], ...options }: ServerCloudOptions = {}): Promise<ServerCloud> {
  return serverCloud({ ...options, set: [listOf(...paths), ...set] })
}

/** A module of one extension, `x-test`, with these members. */
function moduleWith(name: string, members: string): string {
  const file = join(folder, `${name}.mjs`)
  const about = "alias: 'x-test', name: 'Test', description: 'For tests.', updated: '2026-11-22T00:00:00Z'"
  writeFileSync(file, `export const extension = { ${about}, ${members} }\n`)
  return file
}

interface Note {
  note: { server_id: string; label: string }
}
type Shown = Record<string, unknown>
interface Aliases {
  extensions: { alias: string }[]
}
interface Failed {
  badRequest: { message: string }
  forbidden: { message: string }
  serviceUnavailable: { message: string }
}

const aliasesOf = async (cloud: ServerCloud, who: { token: string }) =>
  (await cloud.api<Aliases>(who, 'GET', '/extensions')).body.extensions.map(one => one.alias)

onEachEngine(
  'a sample in a folder: its resource answers, its attribute is taken, shown and refused by name',
  async database => {
    await using cloud = await cloudWith([sample], { world: await newWorld(systemClock(), database) })
    const [demo, other] = [await cloud.project('demo-1'), await cloud.project('other')]
    const labelled = await cloud.boot(demo, { 'x-notes:label': 'blue' })
    assert.equal(labelled['x-notes:label'], 'blue')
    const plain = await cloud.boot(demo, { name: 'plain' })
    assert.equal(plain['x-notes:label'], null)
    const details = await cloud.api<{ servers: Shown[] }>(demo, 'GET', '/servers/detail')
    const shown = Object.fromEntries(details.body.servers.map(one => [one.id, one['x-notes:label']]))
    assert.deepEqual(shown, { [labelled.id]: 'blue', [plain.id]: null })

    const url = `/os-x-notes/${labelled.id}`
    assert.deepEqual((await cloud.api(demo, 'GET', '/os-x-notes')).body, {
      notes: [{ server_id: labelled.id, label: 'blue' }],
    })
    assert.deepEqual((await cloud.api<Note>(demo, 'GET', url)).body.note.label, 'blue')
    assert.equal((await cloud.api(demo, 'PUT', url, { note: { label: 'green' } })).status, 200)
    for (const version of ['2.1', 'latest']) {
      const body = { server: { name: `renamed-${version}` } }
      const renamed = await cloud.api<{ server: Shown }>(demo, 'PUT', `/servers/${labelled.id}`, body, version)
      assert.equal(renamed.body.server['x-notes:label'], 'green', version)
    }
    assert.equal((await cloud.api(demo, 'PUT', `/os-x-notes/${plain.id}`, { note: { label: 'red' } })).status, 200)
    const page = await cloud.api<{ notes: Note['note'][] }>(demo, 'GET', '/os-x-notes?limit=1')
    const [first] = page.body.notes
    const next = await cloud.api<{ notes: Note['note'][] }>(
      demo,
      'GET',
      `/os-x-notes?limit=5&marker=${first!.server_id}`,
    )
    assert.deepEqual(
      [...page.body.notes, ...next.body.notes].map(one => one.server_id),
      [labelled.id, plain.id].sort(),
    )
    assert.equal((await cloud.api(demo, 'DELETE', url)).status, 204)
    assert.equal((await cloud.api(demo, 'GET', url)).status, 404)

    assert.deepEqual((await cloud.api(other, 'GET', '/os-x-notes')).body, { notes: [] })
    for (const [method, body] of [['GET'], ['PUT', { note: { label: 'mine' } }], ['DELETE']] as const)
      assert.equal((await cloud.api(other, method, `/os-x-notes/${plain.id}`, body)).status, 404, method)

    const wrong = await cloud.api<Failed>(demo, 'POST', '/servers', { server: cloud.newServer({ 'x-notes:label': 7 }) })
    assert.equal(wrong.status, 400)
    assert.match(wrong.body.badRequest.message, /x-notes:label.*7 is not of type 'string'/)
    const unknown = await cloud.api<Failed>(demo, 'PUT', url, { note: { label: 'a', more: 1 } })
    assert.equal(unknown.status, 400)
    assert.ok((await aliasesOf(cloud, demo)).includes('x-notes'))
    const told = await cloud.api<{ extension: Record<string, string> }>(demo, 'GET', '/extensions/x-notes')
    assert.equal(told.body.extension.updated, '2026-11-22T00:00:00Z')
  },
)

test('a part that is turned off is not there: no resource, no attribute, no alias', async () => {
  await using cloud = await cloudWith([sample], { set: ['compute.disabled_parts=x-notes'] })
  const demo = await cloud.project('demo-1')
  assert.equal((await cloud.api(demo, 'GET', '/os-x-notes')).status, 404)
  const refused = await cloud.api<Failed>(demo, 'POST', '/servers', {
    server: cloud.newServer({ 'x-notes:label': 'blue' }),
  })
  assert.match(refused.body.badRequest.message, /'x-notes:label' was unexpected/)
  assert.ok(!('x-notes:label' in (await cloud.boot(demo))))
  assert.ok(!(await aliasesOf(cloud, demo)).includes('x-notes'))
})

test('a value has at most 64 KiB of JSON, whatever its schema lets through', async () => {
  const file = moduleWith(
    'long',
    `attributes: { 'x-test:text': { schema: { type: 'string' } } },
    operations: [{
      id: 'compute.x_test.fill', method: 'PUT', path: '/v2.1/os-x-test/{server_id}', summary: 'Fill it', status: 204,
      policy: { name: 'x-test:write', check: 'rule:project_member_or_admin' },
      request: { type: 'object', properties: { length: { type: 'integer' } }, required: ['length'] },
      handle: async (ctx, { body, server }) => void (await ctx.values.set('x-test:text', server.id, 'x'.repeat(body.length))),
    }]`,
  )
  await using cloud = await cloudWith([file])
  const demo = await cloud.project('demo-1')
  const create = (length: number) =>
    cloud.api<Failed>(demo, 'POST', '/servers', { server: cloud.newServer({ 'x-test:text': 'x'.repeat(length) }) })
  const refused = await create(65_534)
  assert.equal(refused.status, 400)
  assert.match(refused.body.badRequest.message, /x-test:text.*65535 characters/)
  const { id } = await cloud.boot(demo, { 'x-test:text': 'x'.repeat(65_533) })
  const fill = (length: number) => cloud.api(demo, 'PUT', `/os-x-test/${id}`, { length })
  assert.deepEqual([(await fill(65_534)).status, (await fill(65_533)).status], [400, 204])
})

onEachEngine('attributes are shown in a list of many servers as in one of few', async database => {
  await using cloud = await cloudWith([sample], { world: await newWorld(systemClock(), database) })
  const demo = await cloud.project('demo-1')
  for (let i = 0; i < 10; i++) await cloud.boot(demo, { name: `s${i}`, 'x-notes:label': `label ${i}` })
  const listed = await cloud.api<{ servers: Shown[] }>(
    demo,
    'GET',
    '/servers/detail?sort_key=display_name&sort_dir=asc',
  )
  assert.deepEqual(
    listed.body.servers?.map(one => one['x-notes:label']),
    Array.from({ length: 10 }, (_, i) => `label ${i}`),
  )
})

onEachEngine('values go with their server, also after the extension has gone; the archive has them', async database => {
  const world = await newWorld(systemClock(), database)
  const count = async () =>
    Number(
      (await sql<{ n: number }>`select count(*) as n from compute_extension_values`.execute(world.database.root))
        .rows[0]!.n,
    )
  const cloud = await cloudWith([sample], { world })
  const demo = await cloud.project('demo-1')
  const [first, second] = [
    await cloud.boot(demo, { 'x-notes:label': 'blue' }),
    await cloud.boot(demo, { 'x-notes:label': 'red' }),
  ]
  assert.equal(await count(), 2)
  await cloud.remove(demo, first.id)
  assert.equal(await count(), 1)
  const [gone] = await archived<{ attributes: unknown }>(cloud.ctx(), 'compute_servers', { id: first.id })
  assert.deepEqual(gone!.attributes, { 'x-notes:label': 'blue' })
  await cloud.kill()

  await using later = await serverCloud({ world })
  assert.ok(!('x-notes:label' in (await later.show(demo, second.id))))
  await later.remove(demo, second.id)
  assert.equal(await count(), 0)
})

test('servers of one request, of a bundle and of the old relaxed API have the attribute, and the create hook saw them', async () => {
  await using cloud = await cloudWith([sample])
  const [demo, admin] = [await cloud.project('demo-1'), await cloud.admin()]
  const label = { 'x-notes:label': 'blue' }
  await cloud.ask(demo, { ...label, name: 'many', min_count: 3 })
  const servers = ['a', 'b'].map(name => ({ server: cloud.newServer({ ...label, name }) }))
  assert.equal((await cloud.api(demo, 'POST', '/os-bundles', { bundle: { servers } })).status, 202)
  const relaxed = await cloud.request('POST', '/compute/v2/servers', {
    token: demo.token,
    body: { server: { ...cloud.newServer({ ...label, name: 'old' }), nonsense: 1 } },
  })
  assert.equal(relaxed.status, 202)
  await cloud.env.sagas.idle()
  const listed = await cloud.api<{ servers: Shown[] }>(demo, 'GET', '/servers/detail')
  assert.deepEqual(listed.body.servers.map(one => `${one.name} ${one['x-notes:label']}`).sort(), [
    'a blue',
    'b blue',
    'many-1 blue',
    'many-2 blue',
    'many-3 blue',
    'old blue',
  ])
  const reserved = { 'x-notes:label': 'system-7' }
  const one = { server: cloud.newServer(reserved) }
  for (const [path, body] of [
    ['/servers', one],
    ['/os-bundles', { bundle: { servers: [servers[0], one] } }],
  ] as const) {
    const refused = await cloud.api<Failed>(demo, 'POST', path, body)
    assert.equal(refused.status, 403, path)
    assert.match(refused.body.forbidden.message, /is for administrators/)
  }
  assert.equal((await cloud.api(admin, 'POST', '/os-destinations', one)).status, 200)
})

test('a create hook changes what is asked, within what may be asked; one that fails is a 500, one that hangs a 503', async () => {
  const lines: Record<string, unknown>[] = []
  const attributes = "attributes: { 'x-test:size': { schema: { type: 'integer' }, read_only: true } }"
  const file = moduleWith(
    'hooks',
    `${attributes}, hooks: {
      async create(ctx, { server }) {
        if (server.name === 'throws') throw new Error('nothing works')
        if (server.name === 'hangs') await new Promise(() => {})
        if (server.name === 'wrong') return { tags: 7 }
        if (server.name === 'unknown') return { colour: 'red' }
        if (server.name === 'undefined') return { 'x-test:size': undefined }
        return { metadata: { by: ctx.caller.user_id }, 'x-test:size': server.name.length }
      },
      async show(ctx, servers) {
        if (servers.some(one => one.name === 'odd')) throw new Error('cannot say')
        if (servers.some(one => one.name === 'text')) return Object.fromEntries(servers.map(one => [one.id, { 'x-test:size': 'four' }]))
        if (servers.some(one => one.name === 'big')) return Object.fromEntries(servers.map(one => [one.id, { 'x-test:size': 4n }]))
        return Object.fromEntries(servers.map(one => [one.id, { 'x-test:size': 10 * one.attributes['x-test:size'], status: 'HACKED' }]))
      },
    }`,
  )
  const set = ['compute.extension_hook_seconds=0.05']
  await using cloud = await cloudWith([file], { log: keptLog(lines), set })
  const demo = await cloud.project('demo-1')
  const made = await cloud.boot(demo, { name: 'four' })
  assert.deepEqual([made.metadata, made['x-test:size'], made.status], [{ by: demo.user_id }, 40, 'ACTIVE'])
  assert.equal((await cloud.boot(demo, { name: 'undefined' }))['x-test:size'], 0)
  for (const name of ['odd', 'text', 'big']) {
    const shown = await cloud.boot(demo, { name })
    assert.equal(
      shown['x-test:size'],
      name.length,
      'what is kept, when the hook fails or says what the schema does not have',
    )
  }
  assert.ok(lines.some(line => line.msg === 'the show hook of an extension failed' && line.extension === 'x-test'))

  const create = (name: string, more = {}) =>
    cloud.api<Failed>(demo, 'POST', '/servers', { server: cloud.newServer({ name, ...more }) })
  for (const name of ['throws', 'wrong', 'unknown']) assert.equal((await create(name)).status, 500, name)
  const said = lines.map(line => messageOf(line.err)).join('\n')
  for (const words of [/create hook of extension x-test failed: nothing works/, /it changes tags: 7 is not/, /colour/])
    assert.match(said, words)
  assert.equal((await create('four', { 'x-test:size': 1 })).status, 400, 'only shown')
  const late = await create('hangs')
  assert.equal(late.status, 503)
  assert.match(late.body.serviceUnavailable.message, /x-test did not answer within 0.05 seconds/)
})

test('the create hook is called once a request, for several servers and whichever host builds one in the end', async () => {
  const file = moduleWith(
    'counts',
    `attributes: { 'x-test:call': { schema: { type: 'integer' } } },
    hooks: { create: (calls => () => ({ 'x-test:call': ++calls }))(0) }`,
  )
  const full = new GuestError('No space left on the host.', { retryElsewhere: true })
  const faults = { h1: [{ method: 'spawn' as const, error: full }] }
  await using cloud = await cloudWith([file], { hosts: ['h1', 'h2'], faults })
  const demo = await cloud.project('demo-1')
  await cloud.ask(demo, { name: 'several', min_count: 4 })
  await cloud.env.sagas.idle()
  const listed = await cloud.api<{ servers: Shown[] }>(demo, 'GET', '/servers/detail')
  assert.deepEqual(
    listed.body.servers.map(one => `${one.status} ${one['x-test:call']}`),
    Array(4).fill('ACTIVE 1'),
  )
  assert.equal((await cloud.boot(demo))['x-test:call'], 2)
})

test('lists cost as many statements whatever they show, and none more without an extension', async () => {
  const measured = async (cloud: ServerCloud, count: number) => {
    const demo = await cloud.project(`p${count}`)
    for (let n = 0; n < count; n++) await cloud.boot(demo)
    const list = () => cloud.api(demo, 'GET', '/servers/detail')
    await list()
    const before = cloud.env.database.statements()
    await list()
    return cloud.env.database.statements() - before
  }
  const trust = { set: ['identity.cache_trust_ms=60000'] }
  await using without = await serverCloud(trust)
  await using withSample = await cloudWith([sample], trust)
  const plain = await measured(without, 2)
  assert.equal(await measured(withSample, 2), plain + 1)
  assert.equal(await measured(withSample, 4), plain + 1)
})

test('a module that is no extension stops the start, with its file and the field', async () => {
  const complaint = async (...paths: string[]) => {
    const error = await serverCloud({ hosts: [], set: [listOf(...paths)] }).then(
      () => undefined,
      thrown => thrown as Error,
    )
    assert.equal(error?.name, 'ConfigError')
    return error!.message.split('\n')[1]!.trim()
  }
  const operation = (members: string) =>
    `operations: [{ id: 'compute.x_test.list', method: 'GET', path: '/v2.1/os-x-test', summary: 'List', response: {},
      policy: { name: 'x-test:list', check: '@' }, handle: () => ({}), ${members} }]`
  const broken: [string, string, RegExp][] = [
    ['more', 'colour: 1', /more\.mjs: extension: .*'colour' was unexpected/],
    ['taken', "alias: 'os-keypairs'", /taken\.mjs: extension\.alias: there is an extension os-keypairs already/],
    ['named', 'attributes: { label: { schema: {} } }', /extension\.attributes\.label: a name is x-test: with letters/],
    ['schema', "attributes: { 'x-test:a': { schema: { type: 'text' } } }", /extension\.attributes\.x-test:a\.schema: /],
    ['refers', "attributes: { 'x-test:a': { schema: { $id: 'a' } } }", /x-test:a\.schema: \$id cannot be used here/],
    ['hook', 'hooks: { create: 1 }', /extension\.hooks\.create: it is no function/],
    ['method', operation("method: 'LOOK'"), /extension\.operations\.0\.method: 'LOOK' is not one of/],
    [
      'route',
      operation("path: '/v2.1/os-keypairs'"),
      /operations\.0\.path: GET \/v2\.1\/os-keypairs is compute\.keypairs\.list already/,
    ],
    ['handle', operation('handle: 1'), /extension\.operations\.0\.handle: it is no function/],
    ['check', operation("policy: { name: 'x', check: 'rule:' }"), /operations\.0\.policy\.check: /],
    [
      'rule',
      operation("policy: { name: 'os_compute_api:os-keypairs:index', check: '@' }"),
      /policy\.name: .* has another check/,
    ],
    ['answer', operation('response: undefined'), /operations\.0\.response: say the schema of its answer/],
  ]
  for (const [name, members, words] of broken) assert.match(await complaint(moduleWith(name, members)), words)
  const text = (name: string, source: string) => {
    writeFileSync(join(folder, name), source)
    return join(folder, name)
  }
  assert.match(
    await complaint(text('syntax.mjs', 'export const = 1')),
    /syntax\.mjs cannot be loaded: .* \(node --check .*syntax\.mjs says where\)/,
  )
  assert.match(await complaint(text('none.mjs', 'export const other = 1')), /none\.mjs is no extension: export const/)
  assert.match(await complaint(join(folder, 'nowhere')), /there is no file or folder .*nowhere/)
  const again = join(folder, 'again')
  cpSync(sample, again, { recursive: true })
  assert.match(await complaint(sample, again), /again\/x-notes\.mjs: extension\.alias: there is an extension x-notes/)
  const part = await serverCloud({ hosts: [], set: ['compute.disabled_parts=x-nothing'] }).catch(error => error.message)
  assert.match(part, /compute\.disabled_parts: there is no part x-nothing; it must be one of: os-admin-password/)
})

test('a module in TypeScript is loaded as it is', async () => {
  const types = pathToFileURL(join(import.meta.dirname, 'extension.ts')).href
  writeFileSync(
    join(folder, 'typed.ts'),
    `import type { Extension } from '${types}'
export const extension: Extension = { alias: 'x-typed', name: 'T', description: 'T', updated: '2026-11-22T00:00:00Z' }
`,
  )
  await using cloud = await cloudWith([join(folder, 'typed.ts')], { hosts: [] })
  assert.ok((await aliasesOf(cloud, await cloud.admin())).includes('x-typed'))
})
