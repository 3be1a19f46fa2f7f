/** Lists of servers: filters, order, pages, what was deleted, and what only administrators may ask. */
import assert from 'node:assert/strict'
import { virtualClock } from '#kernel/clock.ts'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld } from './fixtures/world.ts'

interface Listed {
  servers: { id: string; name: string; status?: string }[]
  servers_links?: { rel: string; href: string }[]
}

/** Servers a, b, c … in the order of their creation, a second apart. */
async function stage(database: Database) {
  const clock = virtualClock()
  const cloud = await serverCloud({ world: await newWorld(clock, database), hosts: ['h1', 'h2'] })
  const demo = await cloud.project('p1')
  const ids: Record<string, string> = {}
  const list = (query: string, version = 'latest', who = demo) =>
    cloud.api<Listed>(who, 'GET', `/servers${query}`, undefined, version)
  return {
    cloud,
    clock,
    demo,
    ids,
    list,
    async boot(name: string, patch: Record<string, unknown> = {}, who = demo) {
      await clock.advance(1_000)
      ids[name] = (await cloud.boot(who, { name, ...patch })).id
    },
    async names(query: string, version = 'latest', who = demo) {
      const answer = await list(query, version, who)
      assert.equal(answer.status, 200, `${query}: ${JSON.stringify(answer.body)}`)
      return answer.body.servers.map(server => server.name).join(' ')
    },
    async act(name: string, body: unknown) {
      await cloud.api(demo, 'POST', `/servers/${ids[name]}/action`, body)
      await cloud.env.sagas.idle()
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

onEachEngine('the newest come first; other orders by key and direction', async database => {
  await using s = await stage(database)
  for (const name of ['a', 'c', 'b']) await s.boot(name)
  assert.equal(await s.names(''), 'b c a')
  assert.equal(await s.names('/detail'), 'b c a')
  assert.equal(await s.names('?sort_key=display_name&sort_dir=asc'), 'a b c')
  assert.equal(await s.names('?sort_key=display_name'), 'c b a')
  assert.equal(await s.names('?sort_key=created_at&sort_dir=asc'), 'a c b')
  assert.equal(await s.names('?sort_key=vm_state&sort_key=display_name&sort_dir=asc&sort_dir=desc'), 'c b a')
  assert.equal((await s.list('?sort_key=shoe_size')).status, 400)
  assert.equal((await s.list('?sort_key=display_name&sort_dir=up')).status, 400)
  assert.equal((await s.list('?sort_key=host')).status, 403)
})

onEachEngine('pages follow one another by their links', async database => {
  await using s = await stage(database)
  for (const name of ['a', 'b', 'c', 'd', 'e']) await s.boot(name, { metadata: { same: 'x' } })
  const seen: string[] = []
  let next: string | undefined = '?limit=2&sort_key=vm_state&sort_dir=asc'
  while (next) {
    const { body }: { body: Listed } = await s.list(next)
    seen.push(...body.servers.map(server => server.name))
    next = body.servers_links?.[0] && new URL(body.servers_links[0].href).search
  }
  assert.deepEqual(seen, ['e', 'd', 'c', 'b', 'a'])
  assert.equal(await s.names(`?marker=${s.ids.c}`), 'b a')
  assert.equal(await s.names('?limit=0'), '')
  assert.equal((await s.list('?marker=11111111-1111-4111-8111-111111111111')).status, 400)
  assert.equal((await s.list('?limit=-1')).status, 400)
  assert.equal((await s.list('?limit=x')).status, 400)
})

onEachEngine('filters by name, status, image, flavor, address', async database => {
  await using s = await stage(database)
  await s.boot('web-1')
  await s.boot('web-2', { flavorRef: '1' })
  await s.boot('db_1')
  await s.act('db_1', { 'os-stop': null })
  assert.equal(await s.names('?name=web'), 'web-2 web-1')
  assert.equal(await s.names('?name=WEB'), 'web-2 web-1')
  assert.equal(await s.names('?name=^web.*1$'), 'web-1')
  assert.equal(await s.names('?name=1|2'), 'db_1 web-2 web-1')
  assert.equal(await s.names('?name=b_'), 'db_1')
  assert.equal((await s.list(`?name=${'[a]'.repeat(100)}`)).status, 400)
  assert.equal(await s.names('?name=^web\\-[0-1]%2B$'), 'web-1')
  assert.equal(await s.names('?name=[0-9]&limit=2'), 'db_1 web-2')
  assert.equal(await s.names('?name=%25'), '')
  assert.equal(await s.names("?name='"), '')
  assert.equal(await s.names('?status=active'), 'web-2 web-1')
  assert.equal(await s.names('?status=SHUTOFF'), 'db_1')
  assert.equal(await s.names('?status=ACTIVE&status=SHUTOFF'), 'db_1 web-2 web-1')
  assert.equal((await s.list('?status=dancing')).status, 400)
  assert.equal(await s.names('?status=dancing', '2.37'), '')
  assert.equal(await s.names('?flavor=1'), 'web-2')
  assert.equal(await s.names('?image=11111111-1111-4111-8111-111111111111&name=db'), 'db_1')
  assert.equal(await s.names('?image=none'), '')
  const web = await s.cloud.show(s.demo, s.ids['web-1']!)
  const [{ addr }] = web.addresses.private
  assert.equal(await s.names(`?ip=^${addr.replaceAll('.', '\\.')}$`), 'web-1')
  assert.equal(await s.names('?ip=10.0.'), 'db_1 web-2 web-1')
  assert.equal(await s.names('?ip6=fd00'), '')
})

onEachEngine(
  'filters by tags and locks come with their versions; unknown ones are refused from 2.75 on',
  async database => {
    await using s = await stage(database)
    await s.boot('a', { tags: ['x', 'y'] })
    await s.boot('b', { tags: ['x'] })
    await s.boot('c')
    await s.act('c', { lock: null })
    assert.equal(await s.names('?tags=x'), 'b a')
    assert.equal(await s.names('?tags=x,y'), 'a')
    assert.equal(await s.names('?tags-any=y,x'), 'b a')
    assert.equal(await s.names('?not-tags=x,y'), 'c b')
    assert.equal(await s.names('?not-tags-any=x,y'), 'c')
    assert.equal(await s.names('?locked=true'), 'c')
    assert.equal(await s.names('?locked=false'), 'b a')
    assert.equal(await s.names('?vm_state=active&key_name=none'), '')
    assert.equal(await s.names('?shoe_size=43', '2.74'), 'c b a')
    assert.equal((await s.list('?shoe_size=43')).status, 400)
  },
)

onEachEngine('all projects, hosts and internal columns are for administrators', async database => {
  await using s = await stage(database)
  const other = await s.cloud.project('p2')
  const admin = await s.cloud.admin()
  await s.boot('mine')
  await s.boot('theirs', {}, other)
  assert.equal(await s.names(''), 'mine')
  assert.equal(await s.names('', 'latest', admin), '')
  assert.equal((await s.list('?all_tenants=1')).status, 403)
  assert.equal((await s.list('?all_tenants=1', 'latest', admin)).status, 200)
  assert.equal(await s.names('?all_tenants', 'latest', admin), 'theirs mine')
  assert.equal(await s.names('?all_tenants=false', 'latest', admin), '')
  assert.equal((await s.list('?all_tenants=perhaps', 'latest', admin)).status, 400)
  assert.equal(await s.names(`?all_tenants=1&project_id=${other.id}`, 'latest', admin), 'theirs')
  const { 'OS-EXT-SRV-ATTR:host': host } = await s.cloud.show(admin, s.ids.mine!)
  assert.match(await s.names(`?all_tenants=1&host=${host}`, 'latest', admin), /mine/)
  assert.equal(await s.names('?host=nowhere'), 'mine', 'a filter that one may not use is left out')
})

onEachEngine('what changed and what was deleted since a time', async database => {
  await using s = await stage(database)
  const admin = await s.cloud.admin()
  await s.boot('a')
  await s.boot('b')
  await s.clock.advance(60_000)
  const since = new Date(s.clock.now()).toISOString()
  await s.boot('c')
  await s.act('a', { 'os-stop': null })
  await s.cloud.remove(s.demo, s.ids.b!)
  assert.equal(await s.names(''), 'c a')
  assert.equal(await s.names(`?changes-since=${since}`), 'c a b')
  const gone = (await s.list(`/detail?changes-since=${since}`)).body.servers.at(-1)!
  assert.equal(gone.status, 'DELETED')
  assert.equal(await s.names(`?changes-before=${since}`), '')
  assert.equal((await s.list('?changes-since=yesterday')).status, 400)
  assert.equal((await s.list('?status=deleted')).status, 403)
  assert.equal(await s.names('?all_tenants=1&deleted=true', 'latest', admin), 'b')
  assert.equal(await s.names('?all_tenants=1&status=deleted', 'latest', admin), 'b')
})

onEachEngine('a server is shown by three statements, and a list by as many however long it is', async database => {
  await using s = await stage(database)
  const statements = async (path: string) => {
    await s.list(path, '2.1')
    const before = database.statements()
    assert.equal((await s.list(path, '2.1')).status, 200)
    return database.statements() - before
  }
  await s.boot('a')
  assert.ok((await statements(`/${s.ids.a}`)) <= 3)
  const ofOne = await statements('/detail')
  assert.ok(ofOne <= 3)
  await s.boot('b')
  await s.boot('c', { min_count: 7 })
  assert.equal((await s.list('/detail')).body.servers.length, 9)
  assert.equal(await statements('/detail'), ofOne)
})
