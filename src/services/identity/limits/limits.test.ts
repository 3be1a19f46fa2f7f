/** Unified limits: what is registered, what projects and domains have instead, and who sees it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestCloudOptions, testCloud } from '../../../../test/harness.ts'

interface Limit {
  id: string
  project_id: string | null
  domain_id: string | null
  resource_limit: number
  resource_name: string
}

/** A cloud in which a limit of 10 is registered for `cores` of compute. */
async function limited(cloud: TestCloud) {
  const token = await cloud.login('admin')
  const ask = <T>(method: string, path: string, body?: unknown, as = token) =>
    cloud.request<T>(method, `/identity/v3${path}`, { token: as, ...(body !== undefined && { body }) })
  const services = await ask<{ services: { id: string; type: string }[] }>('GET', '/services?type=compute')
  const service_id = services.body.services[0]!.id
  const registered = { service_id, resource_name: 'cores', default_limit: 10 }
  const made = await ask<{ registered_limits: { id: string }[] }>('POST', '/registered_limits', {
    registered_limits: [registered],
  })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const give = (...holders: object[]) =>
    ask<{ limits: Limit[]; error?: { message: string } }>('POST', '/limits', {
      limits: holders.map(holder => ({ service_id, resource_name: 'cores', resource_limit: 5, ...holder })),
    })
  const limitOf = (project_id: string) =>
    cloud.env.services.identity.limit(cloud.ctx(), { service: 'compute', resource_name: 'cores', project_id })
  return { ask, give, limitOf, registered, registeredId: made.body.registered_limits[0]!.id, service_id }
}

onEachEngine('a project has the registered limit until it is given one of its own', async database => {
  await using cloud = await testCloud({ database })
  const { ask, give, limitOf } = await limited(cloud)
  const { id: project_id } = await cloud.project('someone')
  assert.equal(await limitOf(project_id), 10)
  const made = await give({ project_id, description: 'small' })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const [limit] = made.body.limits
  assert.equal(await limitOf(project_id), 5)
  const patched = await ask<{ limit: Limit }>('PATCH', `/limits/${limit!.id}`, { limit: { resource_limit: -1 } })
  assert.equal(patched.body.limit.resource_limit, -1)
  assert.equal(await limitOf(project_id), -1)
  assert.equal((await give({ project_id })).status, 409)
  assert.equal((await ask('DELETE', `/limits/${limit!.id}`)).status, 204)
  assert.equal(await limitOf(project_id), 10)
})

onEachEngine('what is registered is so once, and stays while others stand in its place', async database => {
  await using cloud = await testCloud({ database })
  const { ask, give, registered, registeredId, service_id } = await limited(cloud)
  const { id: project_id } = await cloud.project('someone')
  assert.equal((await ask('POST', '/registered_limits', { registered_limits: [registered] })).status, 409)
  const both = [{ ...registered, resource_name: 'ram' }, registered]
  assert.equal((await ask('POST', '/registered_limits', { registered_limits: both })).status, 409)
  const found = await ask<{ registered_limits: object[] }>('GET', '/registered_limits?resource_name=ram')
  assert.deepEqual(found.body.registered_limits, [], 'of several, all are made or none')
  const limit = (await give({ project_id })).body.limits[0]!
  const change = { registered_limit: { default_limit: 20 } }
  assert.equal((await ask('PATCH', `/registered_limits/${registeredId}`, change)).status, 403)
  assert.equal((await ask('DELETE', `/registered_limits/${registeredId}`)).status, 403)
  assert.equal((await ask('DELETE', `/services/${service_id}`)).status, 403)
  await ask('DELETE', `/limits/${limit.id}`)
  assert.equal((await ask('PATCH', `/registered_limits/${registeredId}`, change)).status, 200)
  assert.equal((await ask('DELETE', `/registered_limits/${registeredId}`)).status, 204)
  assert.equal((await give({ project_id })).status, 403)
})

test('bodies are as strict as upstream', async () => {
  await using cloud = await testCloud()
  const { ask, give, registered } = await limited(cloud)
  const { id: project_id } = await cloud.project('someone')
  for (const wrong of [
    {},
    { ...registered, default_limit: 'many' },
    { ...registered, default_limit: -2 },
    { ...registered, more: 1 },
    { ...registered, service_id: 'nothing' },
    { ...registered, region_id: 'nowhere', resource_name: 'x' },
  ]) {
    const { status } = await ask('POST', '/registered_limits', { registered_limits: [wrong] })
    assert.equal(status, 400, JSON.stringify(wrong))
  }
  for (const wrong of [{}, { project_id, domain_id: 'default' }, { project_id: 'nobody' }, { project_id, more: 1 }]) {
    assert.equal((await give(wrong)).status, 400, JSON.stringify(wrong))
  }
  assert.equal((await ask('POST', '/limits', { limits: [] })).status, 400)
})

test('members see the limits of their project, admins all; only admins change them', async () => {
  await using cloud = await testCloud()
  const { ask, give } = await limited(cloud)
  const [one, two] = [await cloud.project('one'), await cloud.project('two')]
  const { limits } = (await give({ project_id: one.id }, { project_id: two.id }, { domain_id: 'default' })).body
  const list = async (token?: string) =>
    (await ask<{ limits: Limit[] }>('GET', '/limits', undefined, token)).body.limits.length
  assert.equal(await list(), 3)
  assert.equal(await list(one.token), 1)
  assert.equal((await ask('GET', `/limits/${limits[0]!.id}`, undefined, one.token)).status, 200)
  assert.equal((await ask('GET', `/limits/${limits[1]!.id}`, undefined, one.token)).status, 403)
  assert.equal((await ask('GET', `/limits/${limits[2]!.id}`, undefined, one.token)).status, 403)
  const patch = { limit: { resource_limit: 100 } }
  assert.equal((await ask('PATCH', `/limits/${limits[0]!.id}`, patch, one.token)).status, 403)
  assert.equal((await ask<{ model: { name: string } }>('GET', '/limits/model')).body.model.name, 'flat')
  const asDomain = (await give({ project_id: 'default' })).status
  assert.equal(asDomain, 409, 'a domain named as a project is that domain')
})

const strict: TestCloudOptions = { set: ['identity.limit_enforcement_model=strict_two_level'] }

test('with two levels, projects have no more than their domain, whichever is set', async () => {
  await using cloud = await testCloud(strict)
  const { ask, give } = await limited(cloud)
  const { id: project_id } = await cloud.project('someone')
  const other = await cloud.project('other')
  assert.equal((await give({ project_id, resource_limit: 11 })).status, 403)
  assert.equal((await give({ project_id, resource_limit: -1 })).status, 403)
  assert.equal((await give({ project_id, resource_limit: 8 })).status, 201)
  assert.equal((await give({ domain_id: 'default', resource_limit: 7 })).status, 403)
  const together = await give(
    { project_id: other.id, resource_limit: 30 },
    { domain_id: 'default', resource_limit: 30 },
  )
  assert.equal(together.status, 201, JSON.stringify(together.body))
  const ofDomain = together.body.limits.find(limit => limit.domain_id !== null)!
  const lower = { limit: { resource_limit: 29 } }
  assert.equal((await ask('PATCH', `/limits/${ofDomain.id}`, lower)).status, 403)
  const below = { project: { name: 'below', parent_id: project_id } }
  assert.equal((await ask('POST', '/projects', below)).status, 403, 'no third level')
})

onEachEngine('another service asks whether a project may have more, alone and with its domain', async database => {
  await using cloud = await testCloud({ database, set: ['identity.limit_enforcement_model=strict_two_level'] })
  const { give } = await limited(cloud)
  const [one, other] = [await cloud.project('one'), await cloud.project('other')]
  assert.equal((await give({ project_id: one.id, resource_limit: 6 }, { domain_id: 'default' })).status, 403)
  assert.equal((await give({ domain_id: 'default', resource_limit: 8 })).status, 201)
  assert.equal((await give({ project_id: one.id, resource_limit: 6 })).status, 201)
  const used: Record<string, number> = { [one.id]: 4, [other.id]: 3 }
  const usage = async (ids: readonly string[]) => ({
    cores: ids.reduce((sum, id) => sum + (used[id] ?? 0), 0),
    ram: 99,
  })
  const ask = (project_id: string, cores: number) => {
    const deltas = { cores, ram: 1 }
    return cloud.env.services.identity.overLimits(cloud.ctx(), { service: 'nova', project_id, deltas, usage })
  }
  assert.deepEqual(await ask(one.id, 1), [])
  assert.deepEqual(await ask(one.id, 3), [{ resource_name: 'cores', limit: 6, used: 4, delta: 3 }])
  assert.deepEqual(
    await ask(one.id, 2),
    [{ resource_name: 'cores', limit: 8, used: 7, delta: 2 }],
    'the domain has no more',
  )
  const before = cloud.env.database.statements()
  const { own, together } = await cloud.env.services.identity.limits(cloud.ctx(), {
    service: 'compute',
    project_id: one.id,
  })
  assert.deepEqual({ own, together }, { own: { cores: 6 }, together: { cores: 8 } })
  assert.equal(cloud.env.database.statements() - before, 1)
})
