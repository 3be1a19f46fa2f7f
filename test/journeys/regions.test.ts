/** Two clouds in one catalog, with keys and users alike: a client goes to either by its region, and images go from one to the other (S-292). */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { startCloud } from '../conformance/cloud.ts'
import { json, os, temporaryFolder } from './client.ts'
import { missingForClient } from './stage.ts'

const paths = {
  identity: '/identity/v3',
  compute: '/compute/v2.1',
  image: '/image',
  network: '/network',
  placement: '/placement',
}

const catalogOf = (region: string, url: string) =>
  Object.entries(paths).map(([type, path]) => `catalog.${region}.${type}.publicURL = ${url}${path}\n`)

test('servers in either of two clouds by region, and images of one in the other', {
  skip: missingForClient(),
  timeout: 600_000,
}, async () => {
  await using folder = temporaryFolder()
  const file = (name: string) => join(folder.path, name)
  writeFileSync(file('catalog'), '')
  const identity = { catalog_template_file: file('catalog') }
  await using one = await startCloud({ flags: ['--simulated'], settings: { identity } })
  const copy = await (await fetch(`${one.url}/_nephos/snapshot`)).arrayBuffer()
  writeFileSync(file('one.snapshot'), Buffer.from(copy))
  await using two = await startCloud({
    flags: ['--simulated', '--snapshot', file('one.snapshot')],
    settings: { identity, cloud: { region: 'RegionTwo' }, image: { import_networks: ['127.0.0.0/8'] } },
  })
  writeFileSync(file('catalog'), [...catalogOf('RegionOne', one.url), ...catalogOf('RegionTwo', two.url)].join(''))
  const { region_name: _, ...login } = parse(readFileSync(one.cloudsFile, 'utf8')).clouds.nephos
  const clouds = { both: { ...login, regions: ['RegionOne', 'RegionTwo'] } }
  writeFileSync(file('clouds.yaml'), stringify({ clouds }))
  const at = (region: string) => ({
    ...{ OS_CLIENT_CONFIG_FILE: file('clouds.yaml'), OS_CLOUD: 'both', OS_REGION_NAME: region },
  })

  for (const region of ['RegionOne', 'RegionTwo']) {
    const words = ['--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait']
    const server = await json<{ status: string }>(['server', 'create', ...words, `in-${region}`], at(region))
    assert.equal(server.status, 'ACTIVE')
  }
  for (const region of ['RegionOne', 'RegionTwo']) {
    const names = (await json<{ Name: string }[]>(['server', 'list'], at(region))).map(one => one.Name)
    assert.deepEqual(names, [`in-${region}`])
  }

  const bytes = Buffer.alloc(300_000, 'a disk')
  writeFileSync(file('disk.raw'), bytes)
  const create = ['image', 'create', '--disk-format', 'raw', '--file', file('disk.raw'), 'ours']
  const ours = await json<{ id: string }>(create, at('RegionOne'))
  const token = (await os(['token', 'issue', '-f', 'value', '-c', 'id'], at('RegionOne'))).trim()
  const ask = async <T>(method: string, path: string, body?: object) => {
    const headers = { 'x-auth-token': token, 'content-type': 'application/json' }
    const sent = await fetch(`${two.url}/image/v2/images${path}`, {
      ...{ method, headers },
      ...(body && { body: JSON.stringify(body) }),
    })
    assert.ok(sent.ok, `${sent.status} ${path}`)
    return (method === 'GET' || path === '' ? sent.json() : undefined) as T
  }
  const image = { name: 'theirs', disk_format: 'raw', container_format: 'bare' }
  const { id } = await ask<{ id: string }>('POST', '', image)
  const method = { name: 'glance-download', glance_region: 'RegionOne', glance_image_id: ours.id }
  await ask('POST', `/${id}/import`, { method })
  let found = { status: '', checksum: '' }
  for (let left = 240; left > 0 && found.status !== 'active'; left--) {
    found = await ask('GET', `/${id}`)
    await sleep(500)
  }
  const checksum = createHash('md5').update(bytes).digest('hex')
  assert.deepEqual([found.status, found.checksum], ['active', checksum])
})
