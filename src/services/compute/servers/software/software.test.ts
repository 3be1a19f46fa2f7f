/** Stories of software in guests: asked for, installed, removed, failed, and through crashes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { beginning } from '#kernel/events/events.ts'
import { onEachEngine } from '../../../../../test/engines.ts'
import { survivesCrashes } from '../fixtures/guest-work-crashes.ts'
import { type ServerCloudOptions, serverCloud, setProperties } from '../fixtures/server-cloud.ts'
import { newWorld, nothingHeld, tiny } from '../fixtures/world.ts'

interface Software {
  driver: string | null
  manifest_sha256: string | null
  status: string | null
  message: string | null
  packages: { name: string; state: string; version: string | null; message: string | null }[]
}

interface Action {
  action: string
  message: string | null
  request_id: string
  events: { event: string; result: string; details: string | null }[]
}

async function stage(options: ServerCloudOptions = {}, properties: Record<string, string> = {}) {
  const cloud = await serverCloud(options)
  await setProperties(cloud, { hw_qemu_guest_agent: 'yes', ...properties })
  const demo = await cloud.project('p1')
  const show = async (id: string) =>
    (await cloud.api<{ software: Software }>(demo, 'GET', `/servers/${id}/os-software`)).body.software
  return Object.assign(cloud, {
    demo,
    software: show,
    /** State by package. */
    states: async (id: string) => Object.fromEntries((await show(id)).packages.map(({ name, state }) => [name, state])),
    put: (id: string, software: object) => cloud.api(demo, 'PUT', `/servers/${id}/os-software`, { software }),
    async run() {
      await cloud.reconcile('compute.software')
      await cloud.env.sagas.idle()
    },
    guest: (id: string) => Object.values(cloud.drivers).flatMap(driver => driver.guests.get(id) ?? [])[0]!,
    /** What the server's newest run did, as its owner sees it. */
    async log(id: string): Promise<Action> {
      const path = `/servers/${id}/os-instance-actions`
      const all = (await cloud.api<{ instanceActions: Action[] }>(demo, 'GET', path)).body.instanceActions
      const newest = all.find(({ action }) => action === 'software')!
      const shown = await cloud.api<{ instanceAction: Action }>(demo, 'GET', `${path}/${newest.request_id}`)
      return shown.body.instanceAction
    },
  })
}

const packages = (...names: string[]) => ({ driver: 'packages', packages: names })

onEachEngine(
  'software that is asked for with a server is installed when it runs, each package an event',
  async database => {
    await using s = await stage({ world: await newWorld(undefined, database) })
    const { id } = await s.boot(s.demo, { 'os-software:request': packages('nginx', 'no-such-thing', 'vim') })
    assert.deepEqual(
      [(await s.software(id)).status, await s.states(id)],
      ['waiting', { nginx: 'wanted', 'no-such-thing': 'wanted', vim: 'wanted' }],
    )
    await s.run()
    const { status, packages: found } = await s.software(id)
    assert.equal(status, 'failed')
    assert.deepEqual(
      found.map(({ name, state, version }) => [name, state, version]),
      [
        ['nginx', 'installed', '1.0'],
        ['no-such-thing', 'failed', null],
        ['vim', 'installed', '1.0'],
      ],
    )
    assert.match(found[1]!.message!, /unable to select packages: no-such-thing/)
    assert.deepEqual(s.guest(id).software!.installed, { nginx: '1.0', vim: '1.0' })
    const { action, message, events } = await s.log(id)
    assert.deepEqual([action, message], ['software', 'Error'])
    const results = Object.fromEntries(events.map(({ event, result }) => [event, result]))
    assert.deepEqual(
      [results['install nginx'], results['install no-such-thing'], results['install vim']],
      ['Success', 'Error', 'Success'],
    )
    assert.match(events.find(({ event }) => event === 'install no-such-thing')!.details!, /no such package/)
    const shown = await s.show(s.demo, id)
    assert.deepEqual([shown.status, shown.fault], ['ACTIVE', undefined])
    await s.remove(s.demo, id)
    assert.deepEqual(await s.held(), nothingHeld)
  },
)

onEachEngine('a version that is none is not taken for one, whatever a guest says', async database => {
  await using s = await stage({ world: await newWorld(undefined, database) })
  const { id } = await s.boot(s.demo)
  await s.put(id, packages('git', 'nginx', 'vim'))
  await s.env.sagas.idle()
  Object.assign(s.guest(id).software!.installed, { git: '1.0\u0000', nginx: '9'.repeat(1000) })
  await s.put(id, packages('git', 'nginx', 'vim'))
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { git: 'failed', nginx: 'failed', vim: 'installed' })
  const [git] = (await s.software(id)).packages
  assert.deepEqual([git!.version, git!.message], ['1.0', 'What the guest has of it is no version.'])
})

onEachEngine(
  'a server shows which software it is to have, in the words in which it may be asked for',
  async database => {
    await using s = await stage({ world: await newWorld(undefined, database) })
    const shown = async (id: string) => (await s.show(s.demo, id, '2.1'))['os-software:request']
    const plain = await s.boot(s.demo)
    assert.ok(!('os-software:request' in plain))
    const asked = { driver: 'packages', packages: ['vim', { name: 'nginx', version: '1.2' }] }
    const { id } = await s.boot(s.demo, { 'os-software:request': asked })
    const first = { driver: 'packages', packages: [{ name: 'nginx', version: '1.2' }, { name: 'vim' }] }
    assert.deepEqual(await shown(id), first)
    await s.run()
    assert.deepEqual(await shown(id), first, 'what came of it is shown by os-software')
    assert.equal((await s.put(id, first)).status, 202, 'it may be sent again as it is shown')

    const manifest = 'a secret'
    await s.put(id, { driver: 'puppet', packages: ['git'], manifest })
    const manifest_sha256 = (await s.software(id)).manifest_sha256
    const second = { driver: 'puppet', packages: [{ name: 'git' }], manifest_sha256 }
    assert.deepEqual(await shown(id), second, 'what is to go is not asked for')
    await s.put(id, { driver: 'puppet', manifest })
    assert.deepEqual(await shown(id), { ...second, packages: [] })

    const path = `/servers/${id}`
    for (const [method, where, body] of [
      ['GET', '/servers/detail'],
      ['PUT', path, { server: { name: 'other' } }],
      ['POST', `${path}/action`, { rebuild: { imageRef: tiny } }],
    ] as const) {
      const answer = await s.api(s.demo, method, where, body)
      assert.ok(answer.status < 300, `${method} ${where}: ${answer.status}`)
      assert.ok(!JSON.stringify(answer.body).includes('os-software'), `${method} ${where}`)
    }
    await s.env.sagas.idle()
    s.env.policy.override({ 'nephos:software:show': 'rule:context_is_admin' })
    assert.equal(await shown(id), undefined)
    assert.ok((await s.show(await s.admin(), id))['os-software:request'])
    await s.remove(s.demo, id)
  },
)

test('a server with software is shown with as many statements as one without', async () => {
  await using s = await stage({ set: ['identity.cache_trust_ms=60000'] })
  const cost = async (id: string) => {
    await s.show(s.demo, id)
    const before = s.env.database.statements()
    await s.show(s.demo, id)
    return s.env.database.statements() - before
  }
  const [plain, asked] = [await s.boot(s.demo), await s.boot(s.demo, { 'os-software:request': packages('vim') })]
  assert.deepEqual([await cost(plain.id), await cost(asked.id)], [4, 4])
})

onEachEngine('of requests that come at once each is taken, and the last one counts', async database => {
  await using s = await stage({ world: await newWorld(undefined, database) })
  const { id } = await s.boot(s.demo)
  const answers = await Promise.all(['nginx', 'vim', 'git'].map(name => s.put(id, packages(name, 'shared'))))
  assert.deepEqual([...new Set(answers.map(answer => answer.status))], [202])
  await s.env.sagas.idle()
  const wanted = Object.entries(await s.states(id)).filter(([, state]) => state === 'installed')
  assert.equal(wanted.length, 2, JSON.stringify(await s.software(id)))
})

test('what is no longer named is removed at the next run, and the next request forgets it', async () => {
  await using s = await stage({}, { os_distro: 'debian' })
  const { id } = await s.boot(s.demo)
  assert.deepEqual(await s.software(id), {
    ...{
      driver: null,
      manifest_sha256: null,
      status: null,
      message: null,
      packages: [],
      created_at: null,
      updated_at: null,
    },
  })
  const asked = await s.put(id, packages('nginx', 'vim'))
  assert.equal(asked.status, 202)
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { nginx: 'installed', vim: 'installed' })
  await s.put(id, { driver: 'packages', packages: [{ name: 'vim', version: '2.1' }] })
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { nginx: 'removed', vim: 'installed' })
  assert.deepEqual(s.guest(id).software!.installed, { vim: '2.1' })
  assert.equal((await s.log(id)).message, null)
  await s.put(id, packages('vim'))
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { vim: 'installed' })
  const installs = s.guest(id).software!.ran.filter(command => command.includes('install'))
  assert.equal(installs.length, 3, 'what is there is not installed again')
})

test('what was never in the guest is absent when it is no longer named, and not removed', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  await s.put(id, packages('no-such-thing', 'nginx'))
  await s.env.sagas.idle()
  s.guest(id).software!.installed.vim = '1.0'
  await s.put(id, packages('vim', 'no-such-thing'))
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { nginx: 'removed', 'no-such-thing': 'failed', vim: 'installed' })
  await s.put(id, packages())
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { 'no-such-thing': 'absent', vim: 'removed' })
  await s.put(id, packages())
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), {}, 'the next request forgets both')
})

test('Puppet is told the node: its manifest, what is to be there, and what is to go', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  const secret = 'a-password-of-theirs'
  const manifest = `file { '/etc/secret': content => '${secret}' }`
  let definition = ''
  const guests = s.drivers.h1!
  await s.put(id, { driver: 'puppet', packages: ['nginx', 'vim'], manifest })
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { nginx: 'installed', vim: 'installed' })
  assert.deepEqual(
    Object.keys(guests.guests.get(id)!.software!.installed),
    ['puppet', 'nginx', 'vim'],
    'Puppet came first',
  )
  guests.inject({
    method: 'runInGuest',
    call: 5,
    hit: () => {
      definition = Object.values(s.guest(id).software!.files)[0]!
    },
  })
  await s.put(id, { driver: 'puppet', packages: ['vim'], manifest })
  await s.env.sagas.idle()
  assert.ok(definition.startsWith(manifest))
  assert.match(definition, /package \{ 'vim': ensure => installed \}/)
  assert.match(definition, /package \{ 'nginx': ensure => absent \}/)
  assert.deepEqual(await s.states(id), { nginx: 'removed', vim: 'installed' })
  assert.deepEqual(s.guest(id).software!.files, {}, 'no manifest stays in the guest')

  await s.put(id, { driver: 'puppet', packages: ['vim'], manifest: "fail('not today')" })
  await s.env.sagas.idle()
  const { status, message } = await s.software(id)
  assert.equal(status, 'failed')
  assert.match(message!, /not today/)
  const events = await s.env.events.since(s.ctx(), beginning, { limit: 1000 })
  assert.ok(JSON.stringify(events).includes('software.error'))
  assert.ok(!JSON.stringify(events).includes(secret))
  assert.ok(!JSON.stringify(events).includes('not today'), 'what the guest says is not told to others')
})

test('Chef is told the node as JSON', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  for (const manifest of ['no json', '[]', undefined])
    assert.equal((await s.put(id, { driver: 'chef', ...(manifest && { manifest }) })).status, 400)
  await s.put(id, { driver: 'chef', packages: ['nginx'], manifest: '{"run_list": ["recipe[web]"]}' })
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { nginx: 'installed' })
  const ran = s.guest(id).software!.ran.find(([path, verb]) => path === 'chef-client' && verb !== '--version')
  assert.deepEqual(ran, [
    'chef-client',
    '--local-mode',
    '--no-color',
    '--json-attributes',
    '/var/lib/nephos-software/node.json',
  ])
})

test('requests are checked, and only an owner makes them', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  const refused = [
    ...['-o', '--root=/', 'a b', 'a;b', '$(a)', 'nginx-', 'a/b', 'a=1', ''].map(name => packages(name)),
    { driver: 'packages', packages: [{ name: 'a', version: '-o' }] },
    { driver: 'packages', packages: ['a', 'a'] },
    { driver: 'packages', manifest: 'x' },
    { driver: 'puppet' },
    { driver: 'puppet', manifest: 'x'.repeat(65_536) },
    { driver: 'shell', manifest: 'x' },
    packages(...Array.from({ length: 101 }, (_, i) => `p${i}`)),
  ]
  for (const software of refused)
    assert.equal((await s.put(id, software)).status, 400, JSON.stringify(software).slice(0, 80))
  const others = await s.project('p2')
  const path = `/servers/${id}/os-software`
  const account = { project: 'p1', user: 'reader', password: 'reader', role: 'reader' }
  await s.env.services.identity.ensureAccount(s.ctx(), account)
  const reader = { token: await s.login('reader') }
  assert.equal((await s.api(others, 'GET', path)).status, 404)
  assert.equal((await s.api(others, 'PUT', path, { software: packages('vim') })).status, 404)
  assert.equal((await s.api(reader, 'PUT', path, { software: packages('vim') })).status, 403)
  assert.equal((await s.api(reader, 'GET', path)).status, 200)
  await s.api(s.demo, 'POST', `/servers/${id}/action`, { 'os-stop': null })
  await s.env.sagas.idle()
  assert.equal((await s.put(id, packages('vim'))).status, 409)
  await setProperties(s, { hw_qemu_guest_agent: 'no' })
  const server = s.newServer({ 'os-software:request': packages('vim') })
  const message = async (asked: object) => {
    const { status, body } = await s.api(s.demo, 'POST', '/servers', { server: { ...server, ...asked } })
    assert.equal(status, 400)
    return (body as unknown as { badRequest: { message: string } }).badRequest.message
  }
  const field = 'Invalid input for field/attribute os-software:request. '
  assert.equal(
    await message({}),
    `${field}Its image promises no agent in the guest: the property hw_qemu_guest_agent has to be yes.`,
  )
  await setProperties(s, { hw_qemu_guest_agent: 'yes' })
  const twice = { 'os-software:request': packages('vim', 'vim') }
  assert.equal(await message(twice), `${field}Package vim is asked for twice.`)
})

test('of what earlier requests named, only so much may still have to go', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  s.drivers.h1!.inject({ method: 'guestSystem', call: 'every', error: 'The agent of the guest does not answer.' })
  const hundred = (letter: string) => packages(...Array.from({ length: 100 }, (_, i) => `${letter}${i}`))
  for (const letter of 'abcd') assert.equal((await s.put(id, hundred(letter))).status, 202)
  const refused = await s.put(id, hundred('e'))
  assert.equal(refused.status, 409)
  assert.match(JSON.stringify(refused.body), /400 packages of earlier requests would still have to go/)
  assert.equal((await s.put(id, hundred('a'))).status, 202)
  assert.equal((await s.software(id)).packages.length, 400)
  await s.remove(s.demo, id)
  assert.deepEqual(await s.held(), nothingHeld)
})

test('an agent that never answers ends the run, and the log says so', async () => {
  const clock = virtualClock()
  await using s = await stage({ world: await newWorld(clock) })
  const { id } = await s.boot(s.demo)
  s.drivers.h1!.inject({ method: 'guestSystem', call: 'every', error: 'The agent of the guest does not answer.' })
  await s.put(id, packages('nginx'))
  for (let minute = 0; minute < 12; minute++) await clock.advance(60_000)
  await s.env.sagas.idle()
  const { status, message, packages: found } = await s.software(id)
  assert.deepEqual([status, message], ['failed', 'The agent of the guest does not answer.'])
  assert.deepEqual([found[0]!.state, found[0]!.message], ['failed', 'The agent of the guest does not answer.'])
  const { events } = await s.log(id)
  const waited = events.find(({ event }) => event === 'wait for the guest')!
  assert.deepEqual([waited.result, waited.details], ['Error', 'The agent of the guest does not answer.'])
})

for (const [when, happens] of [
  ['some minutes later', { minutes: 10 }],
  ['when its server is started again', { action: { reboot: { type: 'SOFT' } } }],
] as const) {
  test(`an agent that was silent is asked again ${when}`, async () => {
    const clock = virtualClock()
    await using s = await stage({ world: await newWorld(clock) })
    const { id } = await s.boot(s.demo)
    s.guest(id).agentIsDown = true
    await s.put(id, packages('nginx'))
    for (let minute = 0; minute < 12; minute++) await clock.advance(60_000)
    await s.run()
    assert.deepEqual([(await s.software(id)).status, await s.states(id)], ['failed', { nginx: 'failed' }])
    s.guest(id).agentIsDown = false
    await s.run()
    assert.equal((await s.software(id)).status, 'failed', 'not at once')
    if ('minutes' in happens) await clock.advance(happens.minutes * 60_000)
    else await s.api(s.demo, 'POST', `/servers/${id}/action`, happens.action)
    await s.env.sagas.idle()
    await s.run()
    const { status, message } = await s.software(id)
    assert.deepEqual([status, message, await s.states(id)], ['done', null, { nginx: 'installed' }])
    await s.run()
    assert.deepEqual(s.guest(id).software!.ran.filter(([path, verb]) => path === 'apk' && verb === 'add').length, 1)
  })
}

test('a run that a stop interrupts goes on when the server runs again', async () => {
  const clock = virtualClock()
  await using s = await stage({ world: await newWorld(clock) })
  const { id } = await s.boot(s.demo)
  const away = Promise.withResolvers<void>()
  s.drivers.h1!.inject({ method: 'runInGuest', error: 'The agent of the guest went away.', hit: away.resolve })
  await s.put(id, packages('nginx'))
  await away.promise
  await s.api(s.demo, 'POST', `/servers/${id}/action`, { 'os-stop': null })
  // Until it is asked again.
  await clock.advance(2_000)
  await s.env.sagas.idle()
  assert.equal((await s.software(id)).status, 'waiting')
  await s.run()
  assert.deepEqual(await s.states(id), { nginx: 'wanted' }, 'nothing is tried while it is off')
  await s.api(s.demo, 'POST', `/servers/${id}/action`, { 'os-start': null })
  await s.env.sagas.idle()
  await s.run()
  assert.deepEqual(await s.states(id), { nginx: 'installed' })
})

test('a server that is built anew gets its software again', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo, { 'os-software:request': packages('nginx') })
  await s.run()
  await s.put(id, packages('vim'))
  await s.env.sagas.idle()
  assert.deepEqual(await s.states(id), { nginx: 'removed', vim: 'installed' })
  await s.api(s.demo, 'POST', `/servers/${id}/action`, { rebuild: { imageRef: tiny } })
  await s.env.sagas.idle()
  assert.equal(s.guest(id).software, undefined)
  assert.deepEqual(await s.states(id), { vim: 'wanted' })
  await s.run()
  assert.deepEqual([await s.states(id), s.guest(id).software!.installed], [{ vim: 'installed' }, { vim: '1.0' }])
})

test('a newer request takes the place of a run that goes on', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  const began = Promise.withResolvers<void>()
  s.drivers.h1!.inject({ method: 'runInGuest', delayMs: 3_600_000, hit: began.resolve })
  await s.put(id, packages('nginx'))
  await began.promise
  await s.put(id, packages('vim'))
  await s.env.sagas.idle()
  assert.deepEqual([(await s.software(id)).status, await s.states(id)], ['done', { nginx: 'absent', vim: 'installed' }])
})

test('the manifest of a run that makes way does not stay in the guest', async () => {
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  const applying = Promise.withResolvers<void>()
  await s.put(id, { driver: 'puppet', manifest: 'notice(1)' })
  await s.env.sagas.idle()
  // It waits for cloud-init, clears up, looks for puppet and makes the folder before.
  s.drivers.h1!.inject({ method: 'runInGuest', call: 5, delayMs: 3_600_000, hit: applying.resolve })
  await s.put(id, { driver: 'puppet', manifest: "file { '/etc/secret': content => 'theirs' }" })
  await applying.promise
  await s.put(id, packages('vim'))
  await s.env.sagas.idle()
  assert.deepEqual([(await s.software(id)).status, s.guest(id).software!.files], ['done', {}])
})

test('a kill at every step of a run is taken up by the next process; a delete wins at each', async () => {
  const wanted = packages('nginx', 'vim')
  await survivesCrashes({
    saga: 'compute.servers.software',
    stage,
    async run(s, id) {
      await s.put(id, wanted)
      await s.env.sagas.idle()
    },
    async done(s, id, where) {
      const { status } = await s.software(id)
      assert.deepEqual([status, await s.states(id)], ['done', { nginx: 'installed', vim: 'installed' }], where)
    },
  })
})
