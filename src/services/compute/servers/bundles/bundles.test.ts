/** Servers asked for as one: near enough to one another, with bandwidth between them, or refused with what stands in the way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../../../test/engines.ts'
import { always } from '../../../../simulated/invariants.ts'
import { connect } from '../../links/steps.ts'
import { holdHosts, removeBundle } from '../../links/store.ts'
import { newFlavor } from '../fixtures/choosing.ts'
import { newWorld, nothingHeld } from '../fixtures/world.ts'
import { requestSpecOf } from '../store-asked.ts'
import { type Asked, bundleCloud, liveMigrate, mesh } from './fixtures/bundle-cloud.ts'

/** Rows that no sound cloud has. */
async function contradictions(database: Database): Promise<unknown[]> {
  const found = await Promise.all(Object.values(always).map(text => sql.raw(text).execute(database.root)))
  return found.flatMap(({ rows }) => rows)
}

onEachEngine(
  'three different servers within two hops share a rack, with bandwidth between them that goes with them',
  async database => {
    await using cloud = await bundleCloud({ world: await newWorld(undefined, database) })
    const { demo } = cloud
    const larger = await newFlavor(cloud, await cloud.admin(), { 'hw:cpu_policy': 'shared' })
    // No host has room for all of them.
    const flavorRef = (await cloud.flavor('half', 2)).id
    const asked: Asked = {
      name: 'db',
      servers: [
        cloud.server('a', { flavorRef }),
        cloud.server('b', { flavorRef: larger }),
        cloud.server('c', { flavorRef }),
      ],
      links: mesh(['a', 'b', 'c'], { max_hops: 2, bandwidth: 50 }),
    }
    const made = await cloud.bundle(demo, asked)
    assert.equal(made.status, 202, JSON.stringify(made.body))
    await cloud.env.sagas.idle()
    const { body } = await cloud.showBundle(demo, made.body.bundle.id)
    assert.deepEqual(
      body.bundle.servers.map(({ name, status }) => [name, status]),
      [
        ['a', 'ACTIVE'],
        ['b', 'ACTIVE'],
        ['c', 'ACTIVE'],
      ],
    )
    for (const link of body.bundle.links) assert.ok(link.hops !== null && link.hops <= 2, JSON.stringify(link))
    assert.equal(JSON.stringify(body).match(/\bh\d\b|rack/), null, 'nothing tells where')
    const hosts = await cloud.hostsOf(body.bundle)
    assert.equal(new Set(hosts.map(cloud.rackOf)).size, 1)
    // Each link takes its bandwidth of each uplink that it leaves by.
    const leaving = body.bundle.links.filter(link => link.hops! > 0)
    assert.ok(leaving.length > 0)
    assert.equal(await cloud.usedOfUplinks(), 100 * leaving.length)
    assert.deepEqual(await contradictions(database), [], 'links are consumers of their own')
    const other = await cloud.project('other')
    assert.equal((await cloud.showBundle(other, body.bundle.id)).status, 404)
    for (const { id } of body.bundle.servers) await cloud.remove(demo, id)
    assert.deepEqual(await cloud.held(), nothingHeld)
    assert.equal(await cloud.usedOfUplinks(), 0)
  },
)

test('what cannot be is refused with the limit that stands in the way, and nothing is made', async () => {
  await using cloud = await bundleCloud()
  const { demo } = cloud
  const ask = async (count: number, limits: object, patch: object = {}) => {
    const names = ['a', 'b', 'c', 'd', 'e'].slice(0, count)
    const asked = { servers: names.map(name => cloud.server(name, patch)), links: mesh(names, limits) }
    const refused = await cloud.bundle(demo, asked)
    assert.equal(refused.status, 409, JSON.stringify(refused.body))
    assert.deepEqual(await cloud.held(), nothingHeld)
    const tried = await cloud.destinations(await cloud.admin(), asked)
    assert.deepEqual(tried.body.destinations, [])
    assert.deepEqual(await cloud.held(), nothingHeld)
    return { ...refused.body.conflictingRequest!, refused: tried.body.refused! }
  }
  // Four vCPUs a host and two hosts a rack.
  const flavorRef = (await cloud.flavor('half', 2)).id
  const far = await ask(5, { max_hops: 2 }, { flavorRef })
  assert.match(far.message, /within 4 hops at the nearest/)
  assert.match(far.refused[0]!.had, /rack=r\d/)
  const thin = await ask(2, { max_hops: 4, bandwidth: 2000 }, { flavorRef: (await cloud.flavor('whole', 4)).id })
  assert.match(thin.message, /1000 Mbit\/s of bandwidth at the most/)
  assert.ok(thin.refused.some(({ rule, had }) => rule === 'LinkFilter' && /an uplink with 1000 Mbit/.test(had)))
  const huge = await ask(2, { max_hops: 4 }, { flavorRef: (await cloud.flavor('huge', 5)).id })
  assert.match(huge.message, /for server a alone.*refused by VCPU/)
  for (const { message } of [far, thin, huge]) assert.doesNotMatch(message, /\bh\d\b|r1/)
})

test('as many statements place a bundle with a link between any two as one with a link between neighbours', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  await using cloud = await bundleCloud({ racks: { r1: ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'] } })
  const flavorRef = (await cloud.flavor('most', 3)).id
  const limits = { max_hops: 2, bandwidth: 10 }
  const statementsWith = async (links: Asked['links']) => {
    const servers = names.map(name => cloud.server(name, { flavorRef }))
    const before = cloud.env.database.statements()
    const { body, status } = await cloud.bundle(cloud.demo, { servers, links: links! })
    const statements = cloud.env.database.statements() - before
    assert.equal(status, 202)
    await cloud.env.sagas.idle()
    for (const { id } of body.bundle.servers) await cloud.remove(cloud.demo, id)
    return statements
  }
  const few = await statementsWith(names.slice(1).map((name, at) => ({ between: [names[at]!, name], ...limits })))
  const many = await statementsWith(mesh(names, limits))
  assert.ok(many <= few + 20, `${few} with 5 links, ${many} with 15`)
})

test('bundles are listed page by page, the newest first, to their project alone', async () => {
  await using cloud = await bundleCloud()
  const { demo } = cloud
  const made: string[] = []
  for (const name of ['one', 'two', 'three']) {
    made.unshift((await cloud.bundle(demo, { name, servers: [cloud.server(name)] })).body.bundle.id)
    await cloud.env.sagas.idle()
  }
  type Page = { bundles: { id: string }[]; bundles_links?: { href: string }[] }
  const page = async (query: string, who: { token: string } = demo) =>
    (await cloud.api<Page>(who, 'GET', `/os-bundles${query}`)).body
  const first = await page('?limit=2')
  assert.deepEqual(
    first.bundles.map(({ id }) => id),
    made.slice(0, 2),
  )
  const next = new URL(first.bundles_links![0]!.href)
  assert.deepEqual(
    (await page(next.search)).bundles.map(({ id }) => id),
    made.slice(2),
  )
  assert.equal((await cloud.api(demo, 'GET', '/os-bundles?marker=none')).status, 400)
  const other = await cloud.project('other')
  assert.deepEqual((await page('', other)).bundles, [])
  assert.equal((await cloud.api(other, 'GET', `/os-bundles?marker=${made[0]}`)).status, 400)
})

test('what makes no sense is refused with what would', async () => {
  await using cloud = await bundleCloud()
  const { demo } = cloud
  const servers = [cloud.server('a'), cloud.server('b')]
  const link = (between: string[], limits: object = { max_hops: 2 }) => ({ servers, links: [{ between, ...limits }] })
  const hinted = { ...cloud.server('a'), 'os:scheduler_hints': { same_place: 'rack' } }
  for (const [asked, why] of [
    [link(['a', 'x']), /names x, which is no server/],
    [link(['a', 'a']), /to itself/],
    [link(['a', 'b'], {}), /asks for nothing/],
    [{ ...link(['a', 'b']), links: [...link(['a', 'b']).links, ...link(['b', 'a']).links] }, /two links between/],
    [{ servers: [cloud.server('a'), cloud.server('a')] }, /Two servers of the bundle are called a/],
    [{ servers: [cloud.server('a', { max_count: 2 })] }, /is one: name each/],
    [{ servers: [hinted] }, /same_place is not for servers of a bundle/],
  ] as [Asked, RegExp][]) {
    const refused = await cloud.bundle(demo, asked)
    assert.equal(refused.status, 400)
    assert.match(refused.body.badRequest!.message, why)
  }
  assert.equal((await cloud.destinations(demo, { servers })).status, 403)
  assert.deepEqual(await cloud.held(), nothingHeld)
})

test('a server that moves stays near enough, and takes its bandwidth along; no host that is too far takes it', async () => {
  await using cloud = await bundleCloud()
  const { demo } = cloud
  const flavorRef = (await cloud.flavor('most', 3)).id
  const servers = [cloud.server('a', { flavorRef }), cloud.server('b', { flavorRef })]
  const made = await cloud.bundle(demo, { servers, links: mesh(['a', 'b'], { max_hops: 2, bandwidth: 600 }) })
  await cloud.env.sagas.idle()
  const [a] = made.body.bundle.servers
  const [from, peer] = await cloud.hostsOf(made.body.bundle)
  assert.equal(cloud.rackOf(from!), cloud.rackOf(peer!))
  assert.deepEqual(await cloud.uplinks(), { [from!]: 600, [peer!]: 600 })
  const moved = await liveMigrate(cloud, a!.id)
  assert.equal(moved.host, from, 'the other host of the rack has no room')
  const { body } = await cloud.api<{ explanation: { hosts: { rule: string; asked: string }[] } }>(
    await cloud.admin(),
    'GET',
    `/servers/${a!.id}/nephos-explain`,
  )
  const byLinks = body.explanation.hosts.filter(({ rule }) => rule === 'LinkFilter')
  assert.equal(byLinks.length, 4)
  assert.match(byLinks[0]!.asked, /at most 2 hops to server/)
  assert.deepEqual(await cloud.uplinks(), { [from!]: 600, [peer!]: 600 })

  const there = `h${from === 'h1' || from === 'h2' ? 7 : from === 'h3' || from === 'h4' ? 8 : 9}`
  await cloud.addHost(there)
  await cloud.aggregateHost(cloud.rackOf(from!), there)
  assert.equal((await liveMigrate(cloud, a!.id)).host, from, 'its uplink is not known')
  await cloud.uplink(there, 500)
  assert.equal((await liveMigrate(cloud, a!.id)).host, from, 'its uplink is too small')
  await cloud.uplink(there, 1000)
  assert.equal((await liveMigrate(cloud, a!.id)).host, there)
  assert.deepEqual(await cloud.uplinks(), { [there]: 600, [peer!]: 600 })

  const resize = { resize: { flavorRef: '42' } }
  assert.equal((await cloud.api(demo, 'POST', `/servers/${a!.id}/action`, resize)).status, 202)
  await cloud.env.sagas.idle()
  const waiting = await cloud.row(a!.id)
  assert.equal(waiting.vm_state, 'resized')
  const both = Object.fromEntries([there, peer!, waiting.host!].map(host => [host, 600]))
  if (waiting.host === peer) assert.deepEqual(await cloud.uplinks(), { [there]: 600, [peer!]: 600 })
  else assert.deepEqual(await cloud.uplinks(), both, 'it may have to go back')
  assert.equal((await cloud.api(demo, 'POST', `/servers/${a!.id}/action`, { revertResize: null })).status, 202)
  await cloud.env.sagas.idle()
  assert.deepEqual(await cloud.uplinks(), { [there]: 600, [peer!]: 600 })

  const gone = await cloud.api(demo, 'DELETE', `/os-bundles/${made.body.bundle.id}`)
  assert.equal(gone.status, 204)
  assert.deepEqual(await cloud.uplinks(), {})
  assert.notEqual((await liveMigrate(cloud, a!.id)).host, there, 'nothing holds it now')
})

test('a host that cannot build a server of a bundle is replaced by one as near', async () => {
  await using cloud = await bundleCloud()
  const { demo } = cloud
  const { GuestError } = await import('../../drivers/driver.ts')
  const full = new GuestError('No space left on the host.', { retryElsewhere: true })
  for (const host of ['h1', 'h3', 'h5']) cloud.drivers[host]!.inject({ method: 'spawn', error: full })
  // So that those are the best ones.
  for (const host of ['h2', 'h4', 'h6']) await cloud.boot(await cloud.admin(), { availability_zone: `nova:${host}` })
  const asked = { servers: ['a', 'b'].map(name => cloud.server(name)), links: mesh(['a', 'b'], { max_hops: 2 }) }
  const { body } = await cloud.bundle(demo, asked)
  await cloud.env.sagas.idle()
  const hosts = await cloud.hostsOf(body.bundle)
  assert.equal(new Set(hosts.map(cloud.rackOf)).size, 1)
  const shown = await cloud.showBundle(demo, body.bundle.id)
  assert.deepEqual(
    shown.body.bundle.servers.map(({ status }) => status),
    ['ACTIVE', 'ACTIVE'],
  )
})

onEachEngine('bundles asked for at the same time never promise more than there is', async database => {
  await using cloud = await bundleCloud({ world: await newWorld(undefined, database) })
  const { demo } = cloud
  const flavorRef = (await cloud.flavor('most', 3)).id
  // One server a host: each rack has room for one bundle, and its uplinks for one of them.
  const asked = (): Asked => ({
    servers: ['a', 'b'].map(name => cloud.server(name, { flavorRef })),
    links: mesh(['a', 'b'], { max_hops: 2, bandwidth: 700 }),
  })
  const answers = await Promise.all(Array.from({ length: 6 }, () => cloud.bundle(demo, asked())))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 202, 202, 409, 409, 409])
  await cloud.env.sagas.idle()
  assert.deepEqual(
    await cloud.uplinks(),
    Object.fromEntries(['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map(host => [host, 700])),
  )
})

test('a server on the shelf holds nothing of its links, and comes back as near as before or not at all', async () => {
  await using cloud = await bundleCloud()
  const { demo } = cloud
  const flavorRef = (await cloud.flavor('most', 3)).id
  const servers = ['a', 'b'].map(name => cloud.server(name, { flavorRef }))
  const { body } = await cloud.bundle(demo, { servers, links: mesh(['a', 'b'], { max_hops: 2, bandwidth: 600 }) })
  await cloud.env.sagas.idle()
  const [a] = body.bundle.servers
  const [home, peer] = await cloud.hostsOf(body.bundle)
  const act = async (action: object, version?: string) => {
    const answer = await cloud.api(await cloud.admin(), 'POST', `/servers/${a!.id}/action`, action, version)
    await cloud.env.sagas.idle()
    return answer.status
  }
  const far = ['h1', 'h3', 'h5'].find(host => cloud.rackOf(host) !== cloud.rackOf(home!))
  const forced = { 'os-migrateLive': { host: far, block_migration: 'auto', force: true } }
  assert.equal(await act(forced, '2.30'), 202)
  assert.equal((await cloud.row(a!.id)).host, home, 'nobody may force what breaks a promise')

  assert.equal(await act({ shelve: null }), 202)
  assert.equal((await cloud.row(a!.id)).vm_state, 'shelved_offloaded')
  assert.deepEqual(await cloud.uplinks(), {})
  const filler = await cloud.boot(await cloud.admin(), { flavorRef, availability_zone: `nova:${home}` })
  await act({ unshelve: null })
  assert.equal((await cloud.row(a!.id)).host, null, 'its rack is full')
  await cloud.remove(await cloud.admin(), filler.id)
  await act({ unshelve: null })
  assert.equal((await cloud.row(a!.id)).host, home)
  assert.deepEqual(await cloud.uplinks(), { [home!]: 600, [peer!]: 600 })
})

onEachEngine(
  'both ends of links move at the same time: the links have their bandwidth where they end',
  async database => {
    const racks = { r1: ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'] }
    await using cloud = await bundleCloud({ world: await newWorld(undefined, database), racks })
    const { demo } = cloud
    const flavorRef = (await cloud.flavor('most', 3)).id
    const names = ['a', 'b', 'c']
    const servers = names.map(name => cloud.server(name, { flavorRef }))
    const { body } = await cloud.bundle(demo, { servers, links: mesh(names, { max_hops: 2, bandwidth: 100 }) })
    await cloud.env.sagas.idle()
    for (let round = 0; round < 3; round++) {
      const before = await cloud.hostsOf(body.bundle)
      await Promise.all(body.bundle.servers.map(({ id }) => liveMigrate(cloud, id)))
      await cloud.env.sagas.idle()
      const after = await cloud.hostsOf(body.bundle)
      assert.notDeepEqual(after, before)
      assert.deepEqual(await cloud.uplinks(), Object.fromEntries(after.map(host => [host, 200])))
    }
  },
)

onEachEngine('a bundle that is deleted while a server of it moves leaves nothing of its links', async database => {
  await using cloud = await bundleCloud({ world: await newWorld(undefined, database) })
  const { demo } = cloud
  const flavorRef = (await cloud.flavor('most', 3)).id
  const servers = ['a', 'b'].map(name => cloud.server(name, { flavorRef }))
  const { body } = await cloud.bundle(demo, { servers, links: mesh(['a', 'b'], { max_hops: 2, bandwidth: 100 }) })
  await cloud.env.sagas.idle()
  const { id, servers: made } = body.bundle
  const [home] = await cloud.hostsOf(body.bundle)
  const removed = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const deleting = cloud.ctx().transaction(async tx => {
    await removeBundle(tx, id)
    removed.resolve()
    await end.promise
  })
  await removed.promise
  const moving = cloud.ctx().transaction(async tx => {
    await holdHosts(tx)
    await connect(tx, id, made[0]!.id, home!)
  })
  // As far as it comes before the other ends.
  await cloud.env.clock.sleep(200)
  end.resolve()
  await Promise.all([deleting, moving])
  assert.deepEqual(await contradictions(database), [])
  assert.deepEqual(await cloud.uplinks(), {})
})

onEachEngine('servers of a bundle that is deleted are as if they had been asked for alone', async database => {
  await using cloud = await bundleCloud({ world: await newWorld(undefined, database) })
  const { demo } = cloud
  const servers = ['a', 'b'].map(name => cloud.server(name))
  const { body } = await cloud.bundle(demo, { servers, links: mesh(['a', 'b'], { max_hops: 2 }) })
  await cloud.env.sagas.idle()
  const { id, servers: made } = body.bundle
  const specs = () => Promise.all(made.map(one => requestSpecOf(cloud.ctx(), one.id)))
  const before = await specs()
  assert.deepEqual(
    before.map(spec => spec?.bundle_id),
    [id, id],
  )
  assert.equal((await cloud.api(demo, 'DELETE', `/os-bundles/${id}`)).status, 204)
  const alone = before.map(spec => {
    const { bundle_id: _, ...rest } = spec!
    return rest
  })
  assert.deepEqual(await specs(), alone)
})
