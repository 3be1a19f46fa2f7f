/** Creating servers: from the request to ACTIVE, many at once, on which host, and what stops it. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { createCtx, systemIdentity } from '#kernel/context.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { GuestError } from '../drivers/driver.ts'
import { emptyQcow2 } from '../drivers/fake-disk.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld } from './fixtures/world.ts'

interface Made {
  server: { id: string; adminPass: string; links: { rel: string; href: string }[]; [key: string]: unknown }
  reservation_id: string
}
interface Listed {
  servers: { id: string; name: string }[]
}
type Failure = Record<string, { code: number; message: string }>

async function stage(options: Parameters<typeof serverCloud>[0] = {}) {
  const cloud = await serverCloud(options)
  const demo = await cloud.project('p1')
  const admin = await cloud.admin()
  return {
    cloud,
    demo,
    admin,
    post: <T = Made>(patch: Record<string, unknown>, version = 'latest', who = demo) =>
      cloud.api<T>(who, 'POST', '/servers', { server: cloud.newServer(patch) }, version),
    /** Status and message of a request that is refused. */
    async refusal(patch: Record<string, unknown>, version = 'latest', who = demo) {
      const body = { server: cloud.newServer(patch) }
      const answer = await cloud.api<Failure>(who, 'POST', '/servers', body, version)
      assert.deepEqual(await cloud.held(), nothingHeld, 'a request that is refused leaves nothing')
      return `${answer.status} ${Object.values(answer.body)[0]?.message}`
    },
    names: async () => {
      const { servers } = (await cloud.api<Listed>(demo, 'GET', '/servers')).body
      return servers.map(server => server.name).sort()
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

onEachEngine('a server is created, becomes ACTIVE, and is gone without a trace when deleted', async database => {
  await using s = await stage({ world: await newWorld(virtualClock(), database) })
  const { cloud, demo } = s
  const made = await s.post({ metadata: { a: 'b' }, tags: ['t'], user_data: 'IyEvYmluL3No' })
  assert.equal(made.status, 202)
  const { server } = made.body
  assert.equal(made.headers.location, `http://cloud.test/compute/v2.1/servers/${server.id}`)
  assert.deepEqual(Object.keys(server).sort(), ['OS-DCF:diskConfig', 'adminPass', 'id', 'links', 'security_groups'])
  await cloud.env.sagas.idle()
  const shown = await cloud.show(demo, server.id)
  assert.equal(shown.status, 'ACTIVE', JSON.stringify(shown.fault))
  assert.equal(shown.addresses.private.length, 1)
  assert.deepEqual([shown.metadata, shown.tags], [{ a: 'b' }, ['t']])
  assert.equal(cloud.world.guests.h1!.size, 1)
  await cloud.remove(demo, server.id)
  assert.equal((await cloud.api(demo, 'GET', `/servers/${server.id}`)).status, 404)
  assert.equal((await cloud.api(demo, 'DELETE', `/servers/${server.id}`)).status, 404)
  assert.deepEqual(await cloud.held(), nothingHeld)
})

test('a server is in BUILD from the answer on', async () => {
  await using s = await stage({ faults: { h1: [{ method: 'spawn', delayMs: 50 }] } })
  const { id } = (await s.post({})).body.server
  const shown = await s.cloud.show(s.demo, id)
  assert.deepEqual([shown.status, shown['OS-EXT-STS:vm_state'], shown.addresses], ['BUILD', 'building', {}])
  await s.cloud.env.sagas.idle()
  assert.equal((await s.cloud.show(s.demo, id)).status, 'ACTIVE')
})

test('many servers of one request are numbered, and found by their reservation', async () => {
  await using s = await stage()
  const made = await s.post({ name: 'web', min_count: '2', max_count: 3, return_reservation_id: true })
  assert.deepEqual(Object.keys(made.body), ['reservation_id'])
  await s.cloud.env.sagas.idle()
  assert.deepEqual(await s.names(), ['web-1', 'web-2', 'web-3'])
  const path = `/servers?reservation_id=${made.body.reservation_id}`
  assert.equal((await s.cloud.api<Listed>(s.demo, 'GET', path)).body.servers.length, 3)
  assert.equal((await s.post({ name: 'one', min_count: 1 })).status, 202)
  assert.ok((await s.names()).includes('one'))
})

test('of many servers as many are made as the quota has room for, at least the minimum', async () => {
  await using s = await stage({ set: ['compute.quota.instances=3'] })
  assert.match(
    await s.refusal({ min_count: 4, max_count: 4 }),
    /^403 Quota exceeded for instances: Requested 4, but already used 0 of 3 instances/,
  )
  await s.post({ min_count: 2, max_count: 5 })
  await s.cloud.env.sagas.idle()
  assert.equal((await s.names()).length, 3)
  const last = await s.post<Failure>({})
  assert.deepEqual(
    [last.status, last.body.forbidden?.message],
    [403, 'Quota exceeded for instances: Requested 1, but already used 3 of 3 instances'],
  )
})

test('twenty requests at once with room for three make three', async () => {
  await using s = await stage({ set: ['compute.quota.instances=3'] })
  const answers = await Promise.all(Array.from({ length: 20 }, () => s.post({})))
  assert.deepEqual(Map.groupBy(answers, answer => answer.status).get(202)?.length, 3)
  assert.equal(answers.filter(answer => answer.status === 403).length, 17)
  await s.cloud.env.sagas.idle()
  assert.equal((await s.cloud.held()).servers, 3)
})

test('networks: none, automatically, and by ports of one’s own, which outlive the server', async () => {
  await using s = await stage()
  const { cloud, demo } = s
  const bare = await cloud.boot(demo, { networks: 'none' })
  assert.deepEqual([bare.status, bare.addresses], ['ACTIVE', {}])
  const auto = await cloud.boot(demo, { networks: 'auto' })
  assert.equal(auto.addresses.private.length, 1)
  const made = await cloud.request<{ port: { id: string; fixed_ips: { ip_address: string }[] } }>(
    'POST',
    '/network/v2.0/ports',
    { token: demo.token, body: { port: { network_id: cloud.network } } },
  )
  const { port } = made.body
  const own = await cloud.boot(demo, { networks: [{ port: port.id }, { uuid: cloud.network, fixed_ip: '10.0.7.7' }] })
  const addresses = own.addresses.private.map((ip: { addr: string }) => ip.addr)
  assert.deepEqual(addresses, [port.fixed_ips[0]!.ip_address, '10.0.7.7'])
  await cloud.remove(demo, own.id)
  const path = `/network/v2.0/ports/${port.id}`
  const left = await cloud.request<{ port: { device_id: string; status: string } }>('GET', path, { token: demo.token })
  assert.deepEqual([left.status, left.body.port.device_id], [200, ''])
  assert.equal((await cloud.held()).ports, 2)
})

test('what is wrong with a request is named, with upstream’s codes', async () => {
  await using s = await stage()
  const unknown = '99999999-9999-4999-8999-999999999999'
  const { network } = s.cloud
  assert.equal(await s.refusal({ imageRef: unknown }), '400 Can not find requested image')
  assert.match(await s.refusal({ imageRef: 'x' }), /^400 .*imageRef/)
  assert.equal(await s.refusal({ flavorRef: 'none' }), '400 Flavor none could not be found.')
  assert.equal(await s.refusal({ networks: [{ uuid: unknown }] }), `400 Network ${unknown} could not be found.`)
  assert.equal(await s.refusal({ networks: [{ port: unknown }] }), `400 Port id ${unknown} could not be found.`)
  assert.match(await s.refusal({ networks: [{ uuid: network, fixed_ip: '192.0.2.1' }] }), /^400 Fixed IP 192.0.2.1/)
  assert.equal(await s.refusal({ key_name: 'none' }), '400 Invalid key_name provided.')
  assert.match(await s.refusal({ security_groups: [{ name: 'none' }] }), /^400 Security group none not found/)
  assert.equal(await s.refusal({ availability_zone: 'mars' }), '400 The requested availability zone is not available')
  assert.match(await s.refusal({ availability_zone: 'nova:h1' }), /^403 Policy doesn't allow/)
  assert.match(await s.refusal({ name: 'n'.repeat(256) }), /^400 .*name.*is too long/)
  assert.match(await s.refusal({ name: '' }), /^400 .*name/)
  assert.match(await s.refusal({ name: undefined }), /^400 .*'name' is a required property/)
  assert.match(await s.refusal({ user_data: '***' }), /^400 .*user_data/)
  assert.match(await s.refusal({ user_data: 'QUJD'.repeat(16_384) }), /^400 .*user_data.*is too long/)
  assert.match(await s.refusal({ metadata: { k: 1 } }), /^400 .*is not of type 'string'/)
  assert.match(await s.refusal({ shoe_size: 43 }), /^400 .*Additional properties are not allowed/)
  assert.match(await s.refusal({ networks: undefined }), /^400 .*'networks' is a required property/)
  assert.match(await s.refusal({ tags: ['t'] }, '2.51'), /^400 .*Additional properties/)
  assert.equal(await s.refusal({ min_count: 3, max_count: 2 }), '400 min_count must be <= max_count')
  assert.match(await s.refusal({ min_count: 0 }), /^400 .*min_count/)
  assert.match(await s.refusal({ hostname: 'one', max_count: 2 }), /^400 Unable to allocate a single hostname/)
  assert.match(await s.refusal({ block_device_mapping_v2: [{ source_type: 'volume' }] }), /^400 Block Device Mapping/)
})

test('an image that is too large for the flavor, or has no bytes yet, is refused', async () => {
  await using s = await stage()
  const { image } = s.cloud.env.services
  const identity = { ...systemIdentity, project_id: 'admin' }
  const ctx = createCtx(s.cloud.env, { requestId: 'req-images', identity })
  const values = { disk_format: 'qcow2', container_format: 'bare', visibility: 'public' } as const
  const { id } = await image.create(ctx, { ...values, name: 'large' })
  assert.equal(await s.refusal({ imageRef: id }), `400 Image ${id} is not active.`)
  await image.upload(ctx, id, Readable.from([emptyQcow2(5 * 1024 ** 3)]))
  assert.equal(
    await s.refusal({ imageRef: id }),
    `400 Flavor's disk is too small for requested image. Flavor disk is 1073741824 bytes, image is 5368709120 bytes.`,
  )
  const needy = await image.create(ctx, { ...values, name: 'needy', min_ram: 4096 })
  await image.upload(ctx, needy.id, Readable.from([emptyQcow2(1024 ** 3)]))
  assert.equal(await s.refusal({ imageRef: needy.id }), "400 Flavor's memory is too small for requested image.")
})

test('a flavor that no host has room for: ERROR with the reason, for admins host by host', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  const { cloud, demo, admin } = s
  const flavor = { name: 'vast', ram: 1_000_000, vcpus: 1, disk: 1, id: 'vast' }
  await cloud.api(admin, 'POST', '/flavors', { flavor })
  await cloud.api(admin, 'PUT', `/os-quota-sets/${demo.id}`, { quota_set: { ram: -1 } })
  const server = await cloud.boot(demo, { flavorRef: 'vast' })
  assert.deepEqual(
    [server.status, server.fault.code, server.fault.message, 'details' in server.fault],
    ['ERROR', 500, 'No valid host was found. There are not enough hosts available: 2 refused by MEMORY_MB.', false],
  )
  const seen = await cloud.show(admin, server.id)
  assert.match(seen.fault.details, /^Asked for: .*\nh1: MEMORY_MB asked for 1000000, had \d+/)
  assert.equal(seen['OS-EXT-SRV-ATTR:host'], null)
  const path = `/servers/${server.id}/nephos-explain`
  interface Explained {
    explanation: { asked: { flavor: string }; hosts: { host: string; rule: string; asked: string; had: string }[] }
  }
  const { explanation } = (await cloud.api<Explained>(admin, 'GET', path)).body
  assert.equal(explanation.asked.flavor, 'vast')
  assert.deepEqual(
    explanation.hosts.map(host => [host.host, host.rule, host.asked]),
    [
      ['h1', 'MEMORY_MB', '1000000'],
      ['h2', 'MEMORY_MB', '1000000'],
    ],
  )
  assert.equal((await cloud.api(demo, 'GET', path)).status, 403)
  const { allocations, ports } = await cloud.held()
  assert.deepEqual([allocations, ports], [0, 0])
  await cloud.remove(demo, server.id)
  assert.deepEqual(await cloud.held(), nothingHeld)
})

test('hosts fill up, the next server goes to another one, and none is overfilled', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'], vcpus: 2, set: ['compute.hosts.cpu_allocation_ratio=1'] })
  const statuses: string[] = []
  for (let i = 0; i < 5; i++) statuses.push((await s.cloud.boot(s.demo)).status)
  assert.deepEqual(statuses, ['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'ERROR'])
  const { h1, h2 } = s.cloud.world.guests
  assert.deepEqual([h1!.size, h2!.size], [2, 2])
})

test('an administrator names the host', async () => {
  await using s = await stage({ hosts: ['h1', 'h2', 'h3'] })
  const host = async (patch: Record<string, unknown>) =>
    (await s.cloud.show(s.admin, (await s.cloud.boot(s.admin, patch)).id))['OS-EXT-SRV-ATTR:host']
  assert.equal(await host({ availability_zone: 'nova:h2' }), 'h2')
  assert.equal(await host({ host: 'h3' }), 'h3')
  assert.equal(await host({ hypervisor_hostname: 'h1' }), 'h1')
  const answer = await s.post<Failure>({ host: 'none' }, 'latest', s.admin)
  assert.deepEqual([answer.status, answer.body.badRequest?.message], [400, 'Compute host none could not be found.'])
})

test('a zone that is named with the host stays the server’s: it moves nowhere else', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  const { body } = await s.cloud.api<{ aggregate: { id: number } }>(s.admin, 'POST', '/os-aggregates', {
    aggregate: { name: 'rack', availability_zone: 'az1' },
  })
  await s.cloud.api(s.admin, 'POST', `/os-aggregates/${body.aggregate.id}/action`, { add_host: { host: 'h1' } })
  const pinned = await s.cloud.boot(s.admin, { availability_zone: 'az1:h1' })
  const [free, astray] = [
    await s.cloud.boot(s.admin, { host: 'h1' }),
    await s.cloud.boot(s.admin, { availability_zone: 'nova:h1' }),
  ]
  const moved: unknown[] = []
  for (const { id } of [pinned, free, astray]) {
    await s.cloud.api(s.admin, 'POST', `/servers/${id}/action`, {
      'os-migrateLive': { host: 'h2', block_migration: 'auto' },
    })
    await s.cloud.env.sagas.idle()
    moved.push((await s.cloud.show(s.admin, id))['OS-EXT-SRV-ATTR:host'])
  }
  assert.deepEqual(moved, ['h1', 'h2', 'h2'], 'a zone that the host is not in is not the server’s')
})

const full = new GuestError('No space left on the host.', { retryElsewhere: true })

test('a host that cannot build it is cleaned up, and another one builds it', async () => {
  await using s = await stage({ hosts: ['h1', 'h2', 'h3'] })
  // With less room than the others, this host comes last.
  const other = await s.cloud.boot(s.admin, { availability_zone: 'nova:h3', networks: 'none' })
  for (const driver of [s.cloud.drivers.h1!, s.cloud.drivers.h2!]) driver.inject({ method: 'spawn', error: full })
  const server = await s.cloud.boot(s.demo)
  assert.equal(server.status, 'ACTIVE')
  assert.deepEqual((await s.cloud.held()).guests, 2)
  await s.cloud.remove(s.demo, server.id)
  await s.cloud.remove(s.admin, other.id)
  assert.deepEqual(await s.cloud.held(), nothingHeld)
})

test('when every host fails to build it, the fault says what the last one said', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  for (const driver of Object.values(s.cloud.drivers)) driver.inject({ method: 'spawn', error: full, call: 'every' })
  const server = await s.cloud.boot(s.demo)
  assert.equal(server.status, 'ERROR')
  assert.match(server.fault.message, /No valid host was found.*No space left on the host/)
  const { allocations, ports, guests } = await s.cloud.held()
  assert.deepEqual([allocations, ports, guests], [0, 0, 0])
})

test('a failure that is the request’s own is not tried elsewhere', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  for (const driver of Object.values(s.cloud.drivers))
    driver.inject({ method: 'spawn', error: 'Bad kernel.', call: 'every' })
  const server = await s.cloud.boot(s.demo)
  assert.deepEqual([server.status, server.fault.message.endsWith('aborted: Bad kernel.')], ['ERROR', true])
})

test('servers of an anti-affinity group stay apart', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  const { cloud, demo } = s
  const made = await cloud.api<{ server_group: { id: string } }>(demo, 'POST', '/os-server-groups', {
    server_group: { name: 'apart', policy: 'anti-affinity' },
  })
  const group = made.body.server_group.id
  const ask = async () => {
    const body = { server: cloud.newServer(), 'os:scheduler_hints': { group } }
    const { id } = (await cloud.api<Made>(demo, 'POST', '/servers', body)).body.server
    await cloud.env.sagas.idle()
    return cloud.show(demo, id)
  }
  const all = [await ask(), await ask(), await ask()]
  assert.deepEqual(
    all.map(server => server.status),
    ['ACTIVE', 'ACTIVE', 'ERROR'],
  )
  assert.match(all[2]!.fault.message, /2 refused by ServerGroupAntiAffinityFilter/)
  assert.deepEqual(all[0]!.server_groups, [group])
  for (const { id } of all) await cloud.remove(demo, id)
  assert.deepEqual(await cloud.held(), nothingHeld)
})
