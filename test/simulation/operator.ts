/** What the operator of a run's cloud does before clients come: accounts and images, a network for everybody, and two racks in one row with bandwidth on each uplink. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { ensureFirstContents } from '../../src/first-contents.ts'
import { createCtx, systemIdentity } from '../../src/kernel/context.ts'
import { emptyQcow2 } from '../../src/services/compute/drivers/fake-disk.ts'
import { uplinkClass } from '../../src/services/compute/links/steps.ts'
import { newAccount } from './clients.ts'
import { login } from './mix-network.ts'
import type { World } from './world.ts'

/** What a cloud has from its first start, and two images. */
export async function fill(world: World): Promise<void> {
  const cloud = world.control.cloud!
  await ensureFirstContents(cloud, { admin_password: 'admin', demo_password: 'demo' })
  for (const name of ['p1', 'p2']) {
    const account = { project: name, user: name, password: name, role: 'member' }
    await cloud.env.services.identity.ensureAccount(cloud.ctx(), account)
  }
  const ctx = createCtx(cloud.env, { requestId: 'req-first', identity: { ...systemIdentity, project_id: 'admin' } })
  const { image } = cloud.env.services
  async function newImage(name: string, properties: Record<string, string>): Promise<string> {
    const kind = { disk_format: 'qcow2', container_format: 'bare', visibility: 'public' } as const
    const { id } = await image.create(ctx, { name, ...kind, properties })
    await image.upload(ctx, id, Readable.from([emptyQcow2(1024 ** 3)]))
    return id
  }
  world.first.image = await newImage('tiny', {})
  world.first.agentImage = await newImage('debian', { hw_qemu_guest_agent: 'yes', os_distro: 'debian' })
  const outside = world.disk.connection
    .prepare('select id, external from network_networks order by external')
    .all() as unknown as { id: string; external: number }[]
  world.first.network = outside.find(n => !n.external)?.id ?? ''
  world.first.outside = outside.find(n => n.external)?.id ?? ''
}

const mbps = { host: 1000, rack: 1500 }

/** To be called when nothing goes wrong yet. */
export async function prepare(world: World): Promise<void> {
  const { clock, hosts, disk } = world
  const known = disk.connection.prepare('select count(*) n from compute_hosts')
  while (known.get()?.n !== hosts.length) {
    await clock.advance(100)
    await world.still()
  }
  const { http } = world.control.cloud!
  const headers = { host: 'cloud.test', 'openstack-api-version': 'compute 2.79,placement 1.39', 'x-auth-token': '' }
  async function ask(method: 'GET' | 'POST' | 'PUT', url: string, payload?: object) {
    const answer = await http.inject({ method, url, headers, ...(payload && { payload }) })
    assert.ok(answer.statusCode < 300, `${method} ${url}: ${answer.statusCode} ${answer.body}`)
    return { headers: answer.headers, body: answer.body === '' ? {} : answer.json() }
  }
  const { path, body } = login(newAccount('admin'))
  headers['x-auth-token'] = String((await ask('POST', path, body as object)).headers['x-subject-token'])

  await ask('PUT', `/network/v2.0/networks/${world.first.network}`, { network: { shared: true } })

  async function uplink(name: string, total: number): Promise<void> {
    const found = await ask('GET', `/placement/resource_providers?name=${encodeURIComponent(name)}`)
    const { uuid, generation } = found.body.resource_providers[0]
    const wish = { resource_class: uplinkClass, resource_provider_generation: generation, total }
    await ask('POST', `/placement/resource_providers/${uuid}/inventories`, wish)
  }
  await ask('PUT', `/placement/resource_classes/${uplinkClass}`)
  for (const rack of ['r1', 'r2']) {
    const { aggregate } = (await ask('POST', '/compute/v2.1/os-aggregates', { aggregate: { name: rack } })).body
    const act = (action: object) => ask('POST', `/compute/v2.1/os-aggregates/${aggregate.id}/action`, action)
    await act({ set_metadata: { metadata: { 'place:rack': rack, 'place:row': 'w1' } } })
    await ask('POST', '/placement/resource_providers', { name: `rack=${rack}` })
    await uplink(`rack=${rack}`, mbps.rack)
    for (const [at, { name }] of hosts.entries()) {
      if (rack !== (at < 2 ? 'r1' : 'r2')) continue
      await act({ add_host: { host: name } })
      await uplink(name, mbps.host)
    }
  }
}
