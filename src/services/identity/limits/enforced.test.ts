/** Unified limits as the limits of other services: of servers, networks and images, alone and with a domain over its projects. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestCloudOptions, testCloud } from '../../../../test/harness.ts'

type Project = Awaited<ReturnType<TestCloud['project']>>

const unified = ['compute.quota_driver=unified_limits', 'network.quota_driver=unified_limits']

/** A cloud with a small flavor and an image for all, whose limits are registered by `register`. */
async function limited(options: TestCloudOptions = {}) {
  const cloud = await testCloud({ ...options, set: [...unified, ...(options.set ?? [])] })
  const token = await cloud.login('admin')
  const ask = async <T>(method: string, path: string, body?: unknown, as = token) => {
    const headers = { 'openstack-api-version': 'compute 2.79', 'content-type': 'application/json' }
    return cloud.request<T>(method, path, { token: as, headers, ...(body !== undefined && { body }) })
  }
  const good = async <T>(method: string, path: string, body?: unknown) => {
    const answer = await ask<T>(method, path, body)
    assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const { services } = await good<{ services: { id: string; type: string }[] }>('GET', '/identity/v3/services')
  const idOf = (type: string) => services.find(one => one.type === type)!.id
  const register = (type: string, limits: Record<string, number>, where: { region_id?: string } = {}) =>
    good('POST', '/identity/v3/registered_limits', {
      registered_limits: Object.entries(limits).map(([resource_name, default_limit]) => ({
        ...{ service_id: idOf(type), resource_name, default_limit, ...where },
      })),
    })
  const give = (type: string, resource_name: string, resource_limit: number, whose: object) =>
    good('POST', '/identity/v3/limits', {
      limits: [{ service_id: idOf(type), resource_name, resource_limit, ...whose }],
    })
  const flavor = { id: 'two', name: 'two', vcpus: 2, ram: 128, disk: 1 }
  await good('POST', '/compute/v2.1/flavors', { flavor })
  const image = await good<{ id: string }>('POST', '/image/v2/images', {
    ...{ name: 'i', disk_format: 'raw', container_format: 'bare', visibility: 'public' },
  })
  await cloud.request('PUT', `/image/v2/images/${image.id}/file`, {
    ...{ token, body: 'bytes', headers: { 'content-type': 'application/octet-stream' } },
  })
  const boot = async (who: Project, more: object = {}) => {
    const server = { name: 's', flavorRef: 'two', imageRef: image.id, networks: 'none', ...more }
    const path = '/compute/v2.1/servers'
    const { status, body } = await ask<{ forbidden?: { message: string } }>('POST', path, { server }, who.token)
    return body.forbidden?.message ?? status
  }
  const network = async (who: Project) =>
    (await ask('POST', '/network/v2.0/networks', { network: {} }, who.token)).status
  return { cloud, ask, good, register, give, boot, network, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

onEachEngine('servers and networks are limited by identity, and the quota APIs show it', async database => {
  await using s = await limited({ database })
  const { cloud, ask, register, give, boot, network } = s
  const one = await cloud.project('one')
  const over = (resource: string, limit: number, used: number, delta: number) =>
    `Resource ${resource} is over limit of ${limit} due to current usage ${used} and delta ${delta}`
  const refused = (...each: string[]) => `Project ${one.id} is over a limit for [${each.join(', ')}]`
  assert.equal(await boot(one), refused(over('servers', 0, 0, 1)), 'nothing until servers are registered')
  await register('compute', { servers: 10, 'class:VCPU': 6 })
  await register('network', { network: 1 })
  assert.equal(await boot(one), 202)
  assert.equal(await boot(one, { min_count: 3, max_count: 3 }), refused(over('class:VCPU', 6, 2, 6)))
  assert.equal(await boot(one, { min_count: 1, max_count: 9 }), 202, 'as many as fit')
  const quotas = (path: string, method = 'GET', body?: object, as = one.token) =>
    ask<{ quota_set: Record<string, unknown> }>(method, `/compute/v2.1/os-quota-sets/${one.id}${path}`, body, as)
  const { instances, cores, ram } = (await quotas('/detail')).body.quota_set
  assert.deepEqual(
    [instances, cores],
    [
      { in_use: 3, limit: 10, reserved: 0 },
      { in_use: 6, limit: 6, reserved: 0 },
    ],
  )
  assert.deepEqual(ram, { in_use: 384, limit: -1, reserved: 0 }, 'what is not registered is not limited')
  await give('compute', 'class:VCPU', 8, { project_id: one.id })
  assert.equal(await boot(one), 202)
  const admin = await cloud.login('admin')
  const put = await quotas('', 'PUT', { quota_set: { cores: 100 } }, admin)
  assert.deepEqual([put.status, put.body.quota_set.cores], [200, 8], 'limits are changed in identity alone')
  assert.equal((await quotas('/defaults')).body.quota_set.cores, 6)
  const { limits } = (await ask<{ limits: { absolute: object } }>('GET', '/compute/v2.1/limits', undefined, one.token))
    .body
  assert.deepEqual(
    Object.entries(limits.absolute).filter(([name]) => /Cores/.test(name)),
    [
      ['maxTotalCores', 8],
      ['totalCoresUsed', 8],
    ],
  )
  assert.deepEqual([await network(one), await network(one)], [201, 409])
  const shown = await ask<{ quota: object }>('GET', `/network/v2.0/quotas/${one.id}`, undefined, one.token)
  assert.equal((shown.body.quota as { network: number }).network, 1)
  const change = { quota: { network: 5 } }
  assert.equal((await ask('PUT', `/network/v2.0/quotas/${one.id}`, change)).status, 403)
})

onEachEngine("what servers take of the hosts' disks is limited: root, ephemeral and swap", async database => {
  await using s = await limited({ database })
  const one = await s.cloud.project('one')
  const size = { name: 'large', vcpus: 2, ram: 128, disk: 1, 'OS-FLV-EXT-DATA:ephemeral': 2, swap: 512 }
  await s.good('POST', '/compute/v2.1/flavors', { flavor: { id: 'large', ...size } })
  await s.register('compute', { servers: 10, 'class:DISK_GB': 5 })
  assert.equal(await s.boot(one, { flavorRef: 'large' }), 202)
  const over = (used: number, delta: number) =>
    `Project ${one.id} is over a limit for [Resource class:DISK_GB is over limit of 5 due to current usage ${used} and delta ${delta}]`
  assert.equal(await s.boot(one, { flavorRef: 'large' }), over(4, 4))
  assert.equal(await s.boot(one), 202)
})

onEachEngine('many at once never have more than the limit', async database => {
  await using s = await limited({ database })
  const one = await s.cloud.project('one')
  await s.register('compute', { servers: 3 })
  await s.register('network', { network: 2 })
  const servers = await Promise.all(Array.from({ length: 8 }, () => s.boot(one)))
  assert.equal(servers.filter(answer => answer === 202).length, 3)
  const networks = await Promise.all(Array.from({ length: 6 }, () => s.network(one)))
  assert.equal(networks.filter(status => status === 201).length, 2)
})

onEachEngine('with two levels the projects of a domain share what it has', async database => {
  await using s = await limited({ database, set: ['identity.limit_enforcement_model=strict_two_level'] })
  const { cloud, register, give, boot, network, ask } = s
  await register('compute', { servers: 4 })
  await register('network', { network: 2 })
  await register('image', { image_count_total: 3 })
  await give('compute', 'servers', 3, { domain_id: 'default' })
  const [one, two] = [await cloud.project('one'), await cloud.project('two')]
  await give('compute', 'servers', 2, { project_id: one.id })
  assert.deepEqual([await boot(one), await boot(two)], [202, 202])
  assert.equal(await boot(one), 202)
  assert.match(String(await boot(two)), /servers is over limit of 3 due to current usage 3 and delta 1/)
  assert.deepEqual([await network(one), await network(two), await network(two)], [201, 201, 409])
  const image = async (who: Project) => (await ask('POST', '/image/v2/images', {}, who.token)).status
  // One image is the admin's, of the same domain.
  assert.deepEqual([await image(one), await image(two), await image(two)], [201, 201, 413])
})

test('what need not be registered is without limit', async () => {
  await using s = await limited({ set: ['compute.unified_limits_resource_list=[]'] })
  assert.equal(await s.boot(await s.cloud.project('one')), 202)
})

test('limits of the cloud’s own region are heeded before those of every region, and those of other regions are not', async () => {
  await using s = await limited()
  const one = await s.cloud.project('one')
  await s.good('POST', '/identity/v3/regions', { region: { id: 'elsewhere' } })
  await s.register('network', { network: 0 }, { region_id: 'elsewhere' })
  await s.register('network', { network: 0 })
  await s.register('network', { network: 1 }, { region_id: 'RegionOne' })
  assert.deepEqual([await s.network(one), await s.network(one)], [201, 409])
  await s.give('network', 'network', 2, { project_id: one.id, region_id: 'RegionOne' })
  assert.deepEqual([await s.network(one), await s.network(one)], [201, 409])
})
