import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud, projects } from '../fixtures/compute-cloud.ts'

interface Flavor {
  id: string
  name: string
  swap: number | ''
  extra_specs?: Record<string, string>
  links: { rel: string; href: string }[]
}
interface List {
  flavors: Flavor[]
  flavors_links?: { href: string }[]
}

onEachEngine('flavors of a new cloud, once', async database => {
  await using cloud = await computeCloud({ database })
  await cloud.env.services.compute.bootstrap(cloud.ctx())
  await cloud.env.services.compute.bootstrap(cloud.ctx())
  const { body } = await cloud.call<List>('alice', 'GET', '/flavors/detail?sort_key=memory_mb')
  assert.deepEqual(
    body.flavors.map(f => f.name),
    ['m1.nano', 'm1.micro', 'm1.tiny', 'm1.small', 'm1.medium'],
  )
  assert.deepEqual(body.flavors[0], {
    id: '42',
    name: 'm1.nano',
    description: null,
    links: [
      { rel: 'self', href: 'http://cloud.test/compute/v2.1/flavors/42' },
      { rel: 'bookmark', href: 'http://cloud.test/compute/flavors/42' },
    ],
    ram: 128,
    disk: 1,
    swap: 0,
    'OS-FLV-EXT-DATA:ephemeral': 0,
    vcpus: 1,
    'os-flavor-access:is_public': true,
    extra_specs: {},
  })
})

onEachEngine('a list is filtered, sorted and paged', async database => {
  await using cloud = await computeCloud({ database })
  await cloud.env.services.compute.bootstrap(cloud.ctx())
  const names = async (query: string) =>
    (await cloud.call<List>('alice', 'GET', `/flavors?${query}`)).body.flavors.map(f => f.name)
  assert.deepEqual(await names('minRam=2048&sort_key=name'), ['m1.medium', 'm1.small'])
  assert.deepEqual(await names('minDisk=40'), ['m1.medium'])
  assert.deepEqual(await names('sort_key=vcpus&sort_dir=desc&limit=1'), ['m1.medium'])
  const first = await cloud.call<List>('alice', 'GET', '/flavors?limit=2')
  assert.deepEqual(
    first.body.flavors.map(f => f.id),
    ['1', '2'],
  )
  const next = new URL(first.body.flavors_links![0]!.href)
  assert.equal(next.searchParams.get('marker'), '2')
  const second = await cloud.request<List>('GET', next.pathname + next.search, { token: 'alice' })
  assert.deepEqual(
    second.body.flavors.map(f => f.id),
    ['3', '42'],
  )
  for (const [query, message] of [
    ['marker=none', 'marker [none] not found'],
    ['minRam=much', 'Invalid minRam filter [much]'],
  ]) {
    const { status, body } = await cloud.call<{ badRequest: { message: string } }>('alice', 'GET', `/flavors?${query}`)
    assert.deepEqual([status, body.badRequest.message], [400, message])
  }
  assert.equal((await cloud.call('alice', 'GET', '/flavors?unknown=1')).status, 400)
  assert.equal((await cloud.call('alice', 'GET', '/flavors?unknown=1', undefined, '2.74')).status, 200)
})

test('an operator makes, describes and deletes a flavor; a member may not', async () => {
  await using cloud = await computeCloud()
  const flavor = { name: 'big', id: 'big', ram: 4096, vcpus: '4', disk: 10, swap: 512, description: 'large' }
  assert.equal((await cloud.call('alice', 'POST', '/flavors', { flavor })).status, 403)
  const made = await cloud.call<{ flavor: Flavor }>('admin', 'POST', '/flavors', { flavor })
  assert.deepEqual([made.status, made.body.flavor.id, made.body.flavor.swap], [200, 'big', 512])
  const again = await cloud.call<{ conflictingRequest: { message: string } }>('admin', 'POST', '/flavors', {
    flavor: { ...flavor, id: 'other' },
  })
  assert.equal(again.body.conflictingRequest.message, 'Flavor with name big already exists.')
  const sameId = await cloud.call<{ conflictingRequest: { message: string } }>('admin', 'POST', '/flavors', {
    flavor: { ...flavor, name: 'other' },
  })
  assert.equal(sameId.body.conflictingRequest.message, 'Flavor with ID big already exists.')
  const changed = await cloud.call<{ flavor: { description: string } }>('admin', 'PUT', '/flavors/big', {
    flavor: { description: 'larger' },
  })
  assert.equal(changed.body.flavor.description, 'larger')
  assert.equal((await cloud.call('admin', 'DELETE', '/flavors/big')).status, 202)
  const gone = await cloud.call<{ itemNotFound: { message: string } }>('alice', 'GET', '/flavors/big')
  assert.deepEqual([gone.status, gone.body.itemNotFound.message], [404, 'Flavor big could not be found.'])
  for (const bad of [{ ram: 0 }, { ram: '0' }, { vcpus: 'x' }, { name: '' }, { name: 'a'.repeat(256) }, { extra: 1 }])
    assert.equal((await cloud.call('admin', 'POST', '/flavors', { flavor: { ...flavor, ...bad } })).status, 400)
})

test('older versions show what they knew', async () => {
  await using cloud = await computeCloud()
  await cloud.env.services.compute.bootstrap(cloud.ctx())
  const at = async (version: string) =>
    (await cloud.call<{ flavor: Flavor }>('alice', 'GET', '/flavors/1', undefined, version)).body.flavor
  const oldest = await at('2.1')
  assert.equal(oldest.swap, '')
  assert.ok(!('description' in oldest) && !('extra_specs' in oldest))
  assert.ok('description' in (await at('2.55')))
  assert.ok('extra_specs' in (await at('2.61')))
  const refused = await cloud.call('admin', 'PUT', '/flavors/1', { flavor: { description: 'x' } }, '2.54')
  assert.equal(refused.status, 404)
})

test('extra specs are added, read, changed and removed', async () => {
  await using cloud = await computeCloud()
  await cloud.env.services.compute.bootstrap(cloud.ctx())
  const specs = '/flavors/1/os-extra_specs'
  const added = await cloud.call('admin', 'POST', specs, { extra_specs: { 'hw:cpu_policy': 'shared', weight: 3 } })
  assert.deepEqual(added.body, { extra_specs: { 'hw:cpu_policy': 'shared', weight: 3 } })
  assert.deepEqual((await cloud.call('alice', 'GET', `${specs}/weight`)).body, { weight: '3' })
  assert.equal((await cloud.call('admin', 'PUT', `${specs}/weight`, { other: 'x' })).status, 400)
  await cloud.call('admin', 'PUT', `${specs}/weight`, { weight: '4' })
  assert.equal((await cloud.call('admin', 'DELETE', `${specs}/hw:cpu_policy`)).status, 200)
  assert.deepEqual((await cloud.call('alice', 'GET', specs)).body, { extra_specs: { weight: '4' } })
  assert.equal((await cloud.call('admin', 'DELETE', `${specs}/hw:cpu_policy`)).status, 404)
  assert.equal((await cloud.call('alice', 'POST', specs, { extra_specs: { a: 'b' } })).status, 403)
})

onEachEngine('a private flavor is for the projects that were let in', async database => {
  await using cloud = await computeCloud({ database })
  const flavor = { name: 'secret', id: 'secret', ram: 64, vcpus: 1, disk: 0, 'os-flavor-access:is_public': 'False' }
  await cloud.call('admin', 'POST', '/flavors', { flavor })
  assert.equal((await cloud.call('alice', 'GET', '/flavors/secret')).status, 404)
  assert.equal((await cloud.call('alice', 'GET', '/flavors/secret')).status, 404)
  const let_in = { addTenantAccess: { tenant: projects.demo } }
  const access = { flavor_access: [{ flavor_id: 'secret', tenant_id: projects.demo }] }
  assert.deepEqual((await cloud.call('admin', 'POST', '/flavors/secret/action', let_in)).body, access)
  assert.equal((await cloud.call('admin', 'POST', '/flavors/secret/action', let_in)).status, 409)
  assert.deepEqual((await cloud.call('admin', 'GET', '/flavors/secret/os-flavor-access')).body, access)
  assert.equal((await cloud.call('alice', 'GET', '/flavors/secret')).status, 200)
  assert.equal((await cloud.call('bob', 'GET', '/flavors/secret')).status, 404)
  const seen = async (who: 'alice' | 'bob' | 'admin', query = '') =>
    (await cloud.call<List>(who, 'GET', `/flavors${query}`)).body.flavors.map(f => f.id)
  assert.deepEqual([await seen('alice'), await seen('bob'), await seen('admin')], [['secret'], [], []])
  assert.deepEqual(await seen('admin', '?is_public=None'), ['secret'])
  const put_out = { removeTenantAccess: { tenant: projects.demo } }
  assert.deepEqual((await cloud.call('admin', 'POST', '/flavors/secret/action', put_out)).body, { flavor_access: [] })
  assert.equal((await cloud.call('alice', 'GET', '/flavors/secret')).status, 404)
})

test('from 2.102 on flavors are found by name, and neither scaled nor disabled', async () => {
  await using cloud = await computeCloud()
  await cloud.env.services.compute.bootstrap(cloud.ctx())
  const names = async (query: string, version = '2.102') =>
    (await cloud.call<List>('alice', 'GET', `/flavors?${query}`, undefined, version)).body.flavors?.map(f => f.name)
  assert.deepEqual(await names('name=micro'), ['m1.micro'])
  assert.deepEqual(await names('name=^m1.m&sort_key=name'), ['m1.medium', 'm1.micro'])
  assert.deepEqual(await names('name=^m1.m[a-h]&sort_key=name'), ['m1.medium'])
  assert.equal(await names('name=micro', '2.101'), undefined)
  assert.equal(await names('sort_key=rxtx_factor'), undefined)
  const flavor = { name: 'fast', ram: 1, vcpus: 1, disk: 1, rxtx_factor: 2 }
  const make = (version: string) =>
    cloud.call<{ flavor: Record<string, unknown> }>('admin', 'POST', '/flavors', { flavor }, version)
  assert.equal((await make('2.102')).status, 400)
  const made = (await make('2.101')).body.flavor
  assert.deepEqual([made.rxtx_factor, made['OS-FLV-DISABLED:disabled']], [2, false])
})

test('extra specs are checked from 2.86 on', async () => {
  await using cloud = await computeCloud()
  await cloud.env.services.compute.bootstrap(cloud.ctx())
  const path = '/flavors/42/os-extra_specs'
  const add = (extra_specs: unknown, version?: string) =>
    cloud.call<{ badRequest: { message: string } }>('admin', 'POST', path, { extra_specs }, version)
  assert.equal((await add({ 'hw:numa_nodes': 'x' }, '2.85')).status, 200)
  const refused = await add({ 'hw:numa_nodes': 'x' })
  assert.deepEqual(
    [refused.status, refused.body.badRequest.message],
    [400, "Validation failed; 'x' is not a valid integer value."],
  )
  const change = await cloud.call('admin', 'PUT', `${path}/hw:numa_nodes`, { 'hw:numa_nodes': 0 })
  assert.equal(change.status, 400)
  assert.equal((await add({ 'hw:numa_nodes': 2, 'trait:HW_CPU_X86_AVX2': 'required' })).status, 200)
})
