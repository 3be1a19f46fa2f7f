/** Stories of agents in guests that are brought up to a build: told by an admin, fetched and checked by the cloud, sent through the agent's own channel. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import type { SagaProbe } from '#kernel/saga/run.ts'
import { onEachEngine } from '../../../../../test/engines.ts'
import { isOlder } from '../../agent-builds/agent-build.ts'
import { AgentRefusal } from '../../drivers/driver.ts'
import { survivesCrashes } from '../fixtures/guest-work-crashes.ts'
import { type ServerCloudOptions, serverCloud, setProperties } from '../fixtures/server-cloud.ts'
import { newWorld, nothingHeld, tiny } from '../fixtures/world.ts'

interface Agent {
  version: string | null
  wanted_version: string | null
  message: string | null
}

interface Build {
  agent_id: number
  hypervisor: string
  version: string
}

/** More than goes to a guest at once. */
const fileOf = (version: string) => `#!/bin/sh\n${'# padding\n'.repeat(60_000)}version ${version}\n`

/** Twice of what is read. */
const longest = 128

function* megabytes(asked: string[]): Generator<Buffer> {
  for (let i = 0; i < longest; i++) yield Buffer.alloc(1024 ** 2)
  asked.push('all of it')
}

/** A web server with the file of each version. */
async function builds() {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const version = request.url!.slice(1)
    if (version === 'long') return void pipeline(megabytes(asked), response, () => {})
    response.writeHead(version === 'absent' ? 404 : 200).end(fileOf(version))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    asked,
    of: (version: string, more: object = {}) => ({
      ...{ hypervisor: 'fake', os: 'linux', architecture: 'x86_64', version, url: `${url}/${version}` },
      ...{ md5hash: createHash('md5').update(fileOf(version)).digest('hex'), ...more },
    }),
    fileAt: (name: string) => `${url}/${name}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function stage(options: ServerCloudOptions = {}, properties: Record<string, string> = {}) {
  const cloud = await serverCloud(options)
  await setProperties(cloud, { hw_qemu_guest_agent: 'yes', ...properties })
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  return Object.assign(cloud, {
    demo,
    admin,
    make: (agent: object, who = admin) => cloud.api<{ agent: Build }>(who, 'POST', '/os-agents', { agent }),
    change: (id: number | string, para: object) => cloud.api(admin, 'PUT', `/os-agents/${id}`, { para }),
    agent: async (id: string) => (await cloud.api<{ agent: Agent }>(demo, 'GET', `/servers/${id}/os-agent`)).body.agent,
    guest: (id: string) => Object.values(cloud.drivers).flatMap(driver => driver.guests.get(id) ?? [])[0]!,
    async run() {
      await cloud.reconcile('compute.agent_builds')
      await cloud.reconcile('compute.guest_works')
      await cloud.env.sagas.idle()
    },
    async act(id: string, body: object) {
      await cloud.api(demo, 'POST', `/servers/${id}/action`, body)
      await cloud.env.sagas.idle()
    },
    async actions(id: string) {
      const path = `/servers/${id}/os-instance-actions`
      type Listed = { instanceActions: { action: string; message: string | null; request_id: string }[] }
      return (await cloud.api<Listed>(demo, 'GET', path)).body.instanceActions.filter(
        ({ action }) => action === 'update_agent',
      )
    },
  })
}

/** What is left of a build's digest and address in a request to change it. */
const changed = ({ version, url, md5hash }: { version: string; url: string; md5hash: string }) => ({
  ...{ version, url, md5hash },
})

onEachEngine('guests that are there get a new build, say so, and are asked no more', async database => {
  await using web = await builds()
  await using s = await stage({ world: await newWorld(undefined, database) })
  const { id } = await s.boot(s.demo)
  assert.deepEqual(await s.agent(id), { version: null, wanted_version: null, message: null, updated_at: null })
  assert.equal((await s.make(web.of('8.2.10'))).status, 200)
  await s.run()
  const { version, wanted_version, message } = await s.agent(id)
  assert.deepEqual([version, wanted_version, message], ['8.2.10', '8.2.10', null])
  assert.equal(s.guest(id).software!.agent_version, '8.2.10')
  assert.deepEqual(s.guest(id).software!.files, {}, 'nothing stays in the guest')
  assert.deepEqual(
    s.guest(id).software!.ran.map(program => program.join(' ')),
    [
      'cloud-init status --wait',
      'mkdir -p -m 700 /var/lib/nephos-agent',
      'chmod 700 /var/lib/nephos-agent/update',
      '/var/lib/nephos-agent/update',
      'rm -rf /var/lib/nephos-agent',
    ],
  )
  const [action] = await s.actions(id)
  assert.equal(action!.message, null)
  await s.run()
  assert.deepEqual([(await s.actions(id)).length, web.asked], [1, ['/8.2.10']])
  await s.remove(s.demo, id)
  assert.deepEqual(await s.held(), nothingHeld)
})

test('a server that is deleted while it is built anew without an agent leaves nothing of what was known of its agent', async () => {
  await using web = await builds()
  let at: SagaProbe = () => {}
  await using s = await stage({ sagaProbe: point => at(point) })
  await s.make(web.of('2.0'))
  const { id } = await s.boot(s.demo)
  await s.run()
  assert.equal((await s.agent(id)).version, '2.0')
  await setProperties({ ...s, admin: async () => s.admin }, { hw_qemu_guest_agent: 'no' })
  at = async ({ saga, step }) => {
    if (saga === 'compute.servers.rebuild' && step === 'spawn') await s.api(s.demo, 'DELETE', `/servers/${id}`)
  }
  await s.act(id, { rebuild: { imageRef: tiny } })
  assert.deepEqual(await s.held(), nothingHeld)
})

test('a guest that is new gets the build that there is, one that is off when it is started', async () => {
  await using web = await builds()
  await using s = await stage()
  await s.make(web.of('2.0'))
  await s.run()
  const { id } = await s.boot(s.demo)
  await s.run()
  assert.equal((await s.agent(id)).version, '2.0')
  await s.act(id, { rebuild: { imageRef: tiny } })
  assert.equal((await s.agent(id)).version, null, 'nothing is known of it yet')
  await s.act(id, { 'os-stop': null })
  await s.run()
  assert.equal((await s.agent(id)).version, null)
  await s.act(id, { 'os-start': null })
  await s.run()
  assert.equal((await s.agent(id)).version, '2.0')
})

test('a server on the shelf, which is on no host, gets the build that came meanwhile', async () => {
  await using web = await builds()
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  await s.act(id, { shelve: null })
  assert.equal((await s.show(s.demo, id)).status, 'SHELVED_OFFLOADED')
  await s.make(web.of('2.0'))
  await s.run()
  await s.act(id, { unshelve: null })
  await s.run()
  assert.equal((await s.agent(id)).version, '2.0')
})

test('one that is as new, or of another kind, is left as it is', async () => {
  await using web = await builds()
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  for (const other of [{ hypervisor: 'xen' }, { os: 'windows' }, { architecture: 'aarch64' }])
    assert.equal((await s.make(web.of('9.9', other))).status, 200)
  await s.run()
  assert.deepEqual(await s.actions(id), [])
  const made = await s.make(web.of('0.9.9'))
  await s.run()
  const agent = await s.agent(id)
  assert.deepEqual([agent.version, agent.wanted_version], ['1.0', '0.9.9'])
  await s.change(made.body.agent.agent_id, changed(web.of('1.0')))
  await s.run()
  assert.deepEqual([(await s.agent(id)).wanted_version, web.asked], ['1.0', []])
})

test('a Windows is given a package, which its installer installs', async () => {
  await using web = await builds()
  await using s = await stage({}, { os_type: 'windows' })
  await s.make(web.of('110.0.2', { os: 'windows' }))
  const { id } = await s.boot(s.demo)
  await s.run()
  assert.equal((await s.agent(id)).version, '110.0.2')
  assert.deepEqual(s.guest(id).software!.ran.slice(1), [
    ['msiexec.exe', '/i', 'C:\\Windows\\nephos-agent.msi', '/qn', '/norestart'],
    ['cmd.exe', '/d', '/c', 'del', '/q', 'C:\\Windows\\nephos-agent.msi'],
  ])
})

test('a file that is not the one that was named, or not there, or too long, reaches no guest', async () => {
  await using web = await builds()
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  const wrong = web.of('2.0', { md5hash: '0'.repeat(32) })
  const { body } = await s.make(wrong)
  const sha256 = createHash('sha256').update(fileOf('2.0')).digest('hex')
  for (const [patch, fetched] of [
    [{}, false],
    [{ url: web.fileAt('absent') }, false],
    [{ url: web.fileAt('long') }, false],
    [{ md5hash: sha256.toUpperCase() }, true],
  ] as const) {
    await s.change(body.agent.agent_id, changed({ ...wrong, ...patch }))
    await s.run()
    const { version, wanted_version, message } = await s.agent(id)
    assert.deepEqual([version, wanted_version], [fetched ? '2.0' : '1.0', '2.0'], JSON.stringify(patch))
    if (!fetched) assert.match(message!, /2\.0 could not be had/)
  }
  assert.ok(web.asked.includes('/long') && !web.asked.includes('all of it'))
  const [newest, before] = await s.actions(id)
  assert.deepEqual([newest!.message, before!.message], [null, 'Error'])
  const { status, fault } = await s.show(s.demo, id)
  assert.deepEqual([status, fault], ['ACTIVE', undefined])
})

test('an update that takes the agent away is not begun again', async () => {
  await using web = await builds()
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  const driver = s.drivers.h1!
  driver.inject({ method: 'runInGuest', call: 4, error: 'The agent of the guest went away.', afterwards: true })
  await s.make(web.of('2.0'))
  await s.run()
  assert.equal((await s.agent(id)).version, '2.0')
  assert.equal(s.guest(id).software!.ran.filter(([path]) => path!.endsWith('/update')).length, 1)
})

test('an update that did not bring what it promised is told, with what there is', async () => {
  await using web = await builds()
  const clock = virtualClock()
  await using s = await stage({ world: await newWorld(clock) })
  const { id } = await s.boot(s.demo)
  await s.make({ ...web.of('2.0'), version: '3.0' })
  const began = Promise.withResolvers<void>()
  s.drivers.h1!.inject({ method: 'runInGuest', call: 4, hit: began.resolve })
  const ran = s.run()
  await began.promise
  for (let half = 0; half < 6; half++) await clock.advance(30_000)
  await ran
  const { version, wanted_version, message } = await s.agent(id)
  assert.deepEqual([version, wanted_version], ['2.0', '3.0'])
  assert.equal(message, 'the update ended with 0. The agent is of version 2.0 still.')
})

test('an agent that was silent is asked again after pauses that grow, and when its server is started again', async () => {
  await using web = await builds()
  const clock = virtualClock()
  await using s = await stage({ world: await newWorld(clock) })
  const { id } = await s.boot(s.demo)
  s.guest(id).agentIsDown = true
  await s.make(web.of('2.0'))
  const asked: [minute: number, times: number][] = []
  for (const minutes of [18, 10, 36]) {
    for (let minute = 0; minute < minutes; minute += 2) {
      await s.reconcile('compute.agent_builds')
      await s.reconcile('compute.guest_works')
      await clock.advance(2 * 60_000)
    }
    asked.push([(asked.at(-1)?.[0] ?? 0) + minutes, (await s.actions(id)).length])
  }
  assert.deepEqual(asked, [
    [18, 1],
    [28, 2],
    [64, 3],
  ])
  const { version, message } = await s.agent(id)
  assert.deepEqual([version, message], [null, null])
  s.guest(id).agentIsDown = false
  await s.act(id, { reboot: { type: 'HARD' } })
  await s.run()
  assert.equal((await s.agent(id)).version, '2.0')
  await s.remove(s.demo, id)
  assert.deepEqual(await s.held(), nothingHeld)
})

test('an agent that takes no files says so at once, and is not asked again', async () => {
  await using web = await builds()
  await using s = await stage()
  const { id } = await s.boot(s.demo)
  const error = new AgentRefusal('The agent of the guest refused: Command guest-file-open has been disabled')
  s.drivers.h1!.inject({ method: 'writeInGuest', error })
  await s.make(web.of('2.0'))
  await s.run()
  const { version, wanted_version, message } = await s.agent(id)
  assert.deepEqual([version, wanted_version, message], ['1.0', '2.0', error.message])
  await s.run()
  assert.equal((await s.actions(id)).length, 1)
})

test('four guests at a time are brought up to a build', async () => {
  await using web = await builds()
  await using s = await stage({ vcpus: 64 })
  const servers: { id: string }[] = []
  for (let i = 0; i < 6; i++) servers.push(await s.boot(s.demo))
  await s.make(web.of('2.0'))
  const versions = async () =>
    (await Promise.all(servers.map(({ id }) => s.agent(id)))).filter(({ version }) => version === '2.0').length
  await s.run()
  assert.equal(await versions(), 4)
  await s.run()
  assert.equal(await versions(), 6)
})

test("builds are an admin's; one is of each kind of guest", async () => {
  await using web = await builds()
  await using s = await stage()
  const build = web.of('2.0')
  const { body } = await s.make(build)
  assert.deepEqual(body.agent, { agent_id: body.agent.agent_id, ...build })
  const again = await s.make(build)
  assert.equal(again.status, 409)
  assert.match(JSON.stringify(again.body), /Agent-build with hypervisor fake os linux architecture x86_64 exists/)
  assert.equal((await s.make(web.of('3', { hypervisor: 'Fake' }))).status, 409, 'the same words for guests')
  for (const wrong of [{ url: 'file:///etc/passwd' }, { md5hash: 'abc' }, { version: 'newest' }, { os: '' }])
    assert.equal((await s.make(web.of('3', { hypervisor: 'xen', ...wrong }))).status, 400, JSON.stringify(wrong))
  assert.equal((await s.make(web.of('3'), s.demo)).status, 403)
  assert.equal((await s.api(s.demo, 'GET', '/os-agents')).status, 403)
  const listed = async (query = '') =>
    (await s.api<{ agents: Build[] }>(s.admin, 'GET', `/os-agents${query}`, undefined, '2.1')).body.agents
  assert.deepEqual([(await listed()).length, (await listed('?hypervisor=xen')).length], [1, 0])
  const path = `/os-agents/${body.agent.agent_id}`
  assert.equal((await s.change(body.agent.agent_id, changed(web.of('3.0')))).status, 200)
  assert.equal((await listed())[0]!.version, '3.0')
  assert.equal((await s.api(s.admin, 'DELETE', path)).status, 200)
  assert.equal((await s.api(s.admin, 'DELETE', path)).status, 404)
  assert.equal((await s.change(body.agent.agent_id, changed(build))).status, 404)
  const others = await s.project('p2')
  const { id } = await s.boot(s.demo)
  assert.equal((await s.api(others, 'GET', `/servers/${id}/os-agent`)).status, 404)
})

test('versions are compared by their numbers', () => {
  const older = [
    ['8.2.9', '8.2.10'],
    ['8.2', '8.2.1'],
    ['7.2.22+dfsg', '8.0'],
    ['99.9', '100.85.104.19900'],
  ] as const
  for (const [one, other] of older) assert.deepEqual([isOlder(one, other), isOlder(other, one)], [true, false])
  assert.equal(isOlder('8.2.0', '8.2'), false)
})

test('a kill at every step of an update is taken up by the next process; a delete wins at each', async () => {
  await using web = await builds()
  await survivesCrashes({
    saga: 'compute.servers.update_agent',
    stage,
    run: s => s.run(),
    prepare: s => s.make(web.of('2.0')),
    done: async (s, id, where) => assert.equal((await s.agent(id)).version, '2.0', where),
  })
})
