/** Lists of the network API: filters, sorting, pages, chosen members; and bulk creation, tags, revisions. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { networkCloud, networkWithSubnet, refusal, type Shown } from '../fixtures/cloud.ts'

onEachEngine('lists are filtered, sorted and cut to the members asked for', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const bulk = await demo.request('POST', 'networks', {
    networks: ['b', 'a', 'c'].map((name, i) => ({ name, admin_state_up: i !== 1, tags: [`t${i}`, 'all'] })),
  })
  assert.equal(bulk.status, 201)
  assert.deepEqual(
    bulk.body.networks.map((network: Shown) => network.name),
    ['b', 'a', 'c'],
  )
  const names = async (query: string) => (await demo.list('networks', query)).map(network => network.name)
  assert.deepEqual(await names('sort_key=name&sort_dir=desc'), ['c', 'b', 'a'])
  assert.deepEqual(await names('sort_key=admin_state_up&sort_key=name&sort_dir=asc&sort_dir=desc'), ['a', 'c', 'b'])
  assert.deepEqual(await names('name=a&name=c&sort_key=name'), ['a', 'c'])
  assert.deepEqual(await names('admin_state_up=False'), ['a'])
  assert.deepEqual(await names('tags=all,t2'), ['c'])
  assert.deepEqual(await names('tags-any=t0,t2&sort_key=name'), ['b', 'c'])
  assert.deepEqual(await names('not-tags=t0,all&sort_key=name'), ['a', 'c'])
  assert.deepEqual(await names('not-tags-any=t0,t1'), ['c'])
  assert.deepEqual(await names('name='), [])
  assert.deepEqual(await names('description=&sort_key=name'), ['a', 'b', 'c'])
  assert.deepEqual(await names('project_id=p-demo&sort_key=name'), ['a', 'b', 'c'])
  assert.deepEqual(await names('tenant_id=p-other'), [])
  assert.deepEqual(await demo.list('networks', 'name=a&fields=name&fields=mtu'), [{ name: 'a', mtu: 1450 }])
  for (const query of ['colour=red', 'sort_key=colour', 'sort_key=name&sort_dir=up', 'limit=x', 'limit=-1'])
    assert.equal(await refusal(demo.request('GET', `networks?${query}`)), '400 HTTPBadRequest', query)
  assert.equal(await refusal(demo.request('GET', 'networks?limit=1&marker=none')), '400 InvalidInput')
})

onEachEngine('pages lead from one to the next and back, each network once', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  await other.request('POST', 'networks', { networks: [{ name: 'n2' }] })
  await demo.request('POST', 'networks', {
    networks: [1, 2, 3, 4, 5].map(n => ({ name: `n${n}`, description: 'same' })),
  })
  type Page = { networks: { name: string }[]; networks_links?: { rel: string; href: string }[] }
  const page = async (url: string) => (await cloud.request<Page>('GET', url, { token: 'demo' })).body
  const link = (of: Page, rel: string) =>
    of.networks_links?.find(one => one.rel === rel)?.href.replace('http://cloud.test', '')
  const seen: string[] = []
  let at = await page('/network/v2.0/networks?limit=2&sort_key=description&sort_key=name')
  assert.equal(link(at, 'previous'), undefined)
  for (;;) {
    seen.push(...at.networks.map(network => network.name))
    const next = link(at, 'next')
    if (!next) break
    at = await page(next)
  }
  assert.deepEqual(seen, ['n1', 'n2', 'n3', 'n4', 'n5'])
  const back = await page(link(at, 'previous')!)
  assert.deepEqual(
    back.networks.map(network => network.name),
    ['n3', 'n4'],
  )
})

onEachEngine('of things made at once all are made or none', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { network } = await networkWithSubnet(demo)
  const ports = [{ network_id: network.id }, { network_id: network.id, fixed_ips: [{ ip_address: '9.9.9.9' }] }]
  assert.equal(await refusal(demo.request('POST', 'ports', { ports })), '400 InvalidIpForNetwork')
  assert.equal((await demo.list('ports', 'device_owner=')).length, 0)
  const many = await demo.request('POST', 'ports', { ports: Array.from({ length: 50 }, () => ports[0]) })
  assert.equal(many.status, 201)
  const addresses = many.body.ports.map((port: Shown) => port.fixed_ips[0].ip_address)
  assert.equal(new Set(addresses).size, 50)
  assert.equal(await refusal(demo.request('POST', 'ports', { ports: [] })), '400 HTTPBadRequest')
})

onEachEngine('tags are put on, looked for and taken off', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const { id } = await demo.create('networks', {})
  const at = (path = '') => `networks/${id}/tags${path}`
  const replaced = await demo.request('PUT', at(), { tags: ['red', 'blue'] })
  assert.deepEqual([replaced.status, replaced.body], [200, { tags: ['blue', 'red'] }])
  assert.deepEqual((await demo.request('GET', at())).body, { tags: ['blue', 'red'] })
  assert.equal((await demo.request('PUT', at('/green'))).status, 201)
  assert.equal((await demo.request('GET', at('/green'))).status, 204)
  assert.equal(await refusal(demo.request('GET', at('/pink'))), '404 TagNotFound')
  assert.equal((await demo.request('DELETE', at('/red'))).status, 204)
  assert.equal(await refusal(demo.request('DELETE', at('/red'))), '404 TagNotFound')
  assert.equal((await demo.show('networks', id)).revision_number, 4)
  assert.equal(await refusal(demo.request('PUT', at(), { tags: ['x'.repeat(256)] })), '400 HTTPBadRequest')
  assert.equal(
    await refusal(demo.request('PUT', at(), { tags: Array.from({ length: 51 }, String) })),
    '400 HTTPBadRequest',
  )
  for (const [method, body] of [['GET'], ['PUT', { tags: [] }], ['DELETE']] as const)
    assert.equal(await refusal(other.request(method, at(), body)), '404 NetworkNotFound', method)
  assert.equal((await demo.request('DELETE', at())).status, 204)
  assert.deepEqual((await demo.show('networks', id)).tags, [])
})

onEachEngine('a change names the revision that it is about', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { id, revision_number, created_at } = await demo.create('networks', {})
  assert.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  const rename = (name: string, revision: number) =>
    demo.request('PUT', `networks/${id}`, { network: { name } }, { 'if-match': `revision_number=${revision}` })
  const first = await rename('a', revision_number)
  assert.deepEqual([first.status, first.body.network.revision_number], [200, revision_number + 1])
  const late = await rename('b', revision_number)
  assert.deepEqual(
    [late.status, late.body.NeutronError.type, late.body.NeutronError.message],
    [
      412,
      'RevisionNumberConstraintFailed',
      `Constrained to ${revision_number}, but current revision is ${revision_number + 1}`,
    ],
  )
  const gone = demo.request('DELETE', `networks/${id}`, undefined, { 'if-match': `revision_number=${revision_number}` })
  assert.equal(await refusal(gone), '412 RevisionNumberConstraintFailed')
  const races = await Promise.all(['c', 'd', 'e'].map(name => rename(name, revision_number + 1)))
  assert.deepEqual(races.map(answer => answer.status).sort(), [200, 412, 412])
})
