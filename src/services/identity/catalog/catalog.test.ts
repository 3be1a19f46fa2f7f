/** Regions, services and endpoints. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testCloud } from '../../../../test/harness.ts'

test('a region may be made with an id of choice, once', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  const put = (id: string, region: object) =>
    cloud.request<{ region: { id: string; description: string; colour?: string } }>(
      'PUT',
      `/identity/v3/regions/${id}`,
      { token, body: { region } },
    )
  const made = await put('north', { description: 'cold', colour: 'white' })
  assert.equal(made.status, 201)
  assert.equal(made.body.region.id, 'north')
  assert.equal(made.body.region.colour, 'white')
  assert.equal((await put('north', {})).status, 409)
  assert.equal((await put('south', { id: 'other' })).status, 400)
  assert.equal((await put('south', { parent_region_id: 'nowhere' })).status, 404)
})

test('a catalog from a file is what tokens show, and what changed in it they show at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-catalog-'))
  try {
    const file = join(folder, 'default_catalog.templates')
    const lines = [
      '# as DevStack wrote it',
      'catalog.RegionOne.identity.publicURL = %(base)s/identity/v3',
      'catalog.RegionOne.identity.name = Identity Service',
      '',
      'catalog.RegionOne.compute.publicURL = http://compute.test/v2.1/$(tenant_id)s',
      'catalog.RegionTwo.compute.adminURL = http://two.test/v2.1/$(project_id)s',
      'catalog.RegionOne.compute.name = Compute Service',
    ]
    await writeFile(file, lines.join('\n'))
    await using cloud = await testCloud({ set: [`identity.catalog_template_file=${file}`] })
    const { token, id } = await cloud.project('p')
    type Entry = { type: string; name: string; endpoints: { url: string; region: string; interface: string }[] }
    const show = async () => {
      const { status, body } = await cloud.request<{ catalog: Entry[] }>('GET', '/identity/v3/auth/catalog', { token })
      return status === 200 ? body.catalog : status
    }
    const shown = (await show()) as Entry[]
    assert.deepEqual(
      shown.map(({ type, name }) => [type, name]),
      [
        ['identity', 'Identity Service'],
        ['compute', 'Compute Service'],
      ],
    )
    assert.deepEqual(
      shown.flatMap(({ endpoints }) => endpoints.map(one => [one.region, one.interface, one.url])),
      [
        ['RegionOne', 'public', 'http://cloud.test/identity/v3'],
        ['RegionOne', 'public', `http://compute.test/v2.1/${id}`],
        ['RegionTwo', 'admin', `http://two.test/v2.1/${id}`],
      ],
    )
    await writeFile(file, lines.slice(0, 3).join('\n'))
    await utimes(file, 1, 1)
    assert.deepEqual(
      ((await show()) as Entry[]).map(one => one.type),
      ['identity'],
    )
    await writeFile(file, 'compute is somewhere')
    await utimes(file, 2, 2)
    assert.equal(await show(), 503)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a catalog from a file is the same for a project that is held to some endpoints of the API', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-catalog-'))
  try {
    const file = join(folder, 'default_catalog.templates')
    await writeFile(file, 'catalog.RegionOne.identity.publicURL = %(base)s/identity/v3')
    await using cloud = await testCloud({ set: [`identity.catalog_template_file=${file}`] })
    const admin = await cloud.login('admin')
    const { token, id } = await cloud.project('p')
    const ask = <T>(method: string, path: string) => cloud.request<T>(method, `/identity/v3/${path}`, { token: admin })
    const { endpoints } = (await ask<{ endpoints: { id: string }[] }>('GET', 'endpoints')).body
    const held = await ask('PUT', `OS-EP-FILTER/projects/${id}/endpoints/${endpoints[0]!.id}`)
    assert.equal(held.status, 204)
    const { body } = await cloud.request<{ catalog: { type: string }[] }>('GET', '/identity/v3/auth/catalog', { token })
    assert.deepEqual(
      body.catalog.map(one => one.type),
      ['identity'],
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})
