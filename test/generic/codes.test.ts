/** The same outcome has the same code on every route of compute: what is not there is a 404, what one may not a 403, what the state does not allow a 409, what is accepted a 202 (S-010). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { virtualClock } from '../../src/kernel/clock.ts'
import { type ServerCloud, serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import { addressed, belongings, kinds, publicKey } from '../attacks/belongings.ts'
import { installation } from '../attacks/installation.ts'
import { sample } from '../attacks/sample.ts'
import {
  bodySchema,
  contentType,
  extended,
  headersAt,
  nobody,
  type Reachable,
  surface,
  takesBody,
} from '../attacks/surface.ts'
import { wholeBodies } from '../attacks/whole-bodies.ts'
import { refusals } from '../conformance/refusals.ts'

async function stage() {
  const cloud = await serverCloud({ world: await newWorld(virtualClock()), set: extended })
  const owner = await cloud.project('owner')
  const ids = await installation(cloud, await belongings(cloud, owner), owner)
  const whole = wholeBodies(ids, publicKey)
  const bodyOf = (one: Reachable) => bodies(ids)[one.operation.id] ?? whole[one.operation.id] ?? plainBody(one)
  return { cloud, owner, ids, bodyOf }
}

function plainBody(one: Reachable): unknown {
  if (takesBody(one)) return sample(bodySchema(one)!)
  return one.operation.action && { [one.operation.action]: null }
}

/** Bodies that go with the path, or name what is there. */
const bodies = (ids: Record<string, string>): Record<string, unknown> => ({
  'compute.flavor_access.add': { addTenantAccess: { tenant: ids.projects } },
  'compute.flavor_extra_specs.update': { [ids['os-extra_specs']!]: 'shared' },
  'compute.servers.evacuate': { evacuate: {} },
  'compute.servers.resize': { resize: { flavorRef: '84' } },
  'compute.volumes_boot.resize': { resize: { flavorRef: '84' } },
})

async function codeOf(cloud: ServerCloud, token: string, one: Reachable, url: string, body: unknown): Promise<number> {
  const answer = await cloud.request(one.operation.method, url, {
    token,
    headers: { ...headersAt(one), ...(body !== undefined && contentType(one)) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return answer.status
}

const compute = surface.filter(
  ({ service, operation: { id, raw } }) =>
    // What is gone, or can only be refused, answers so whatever it is asked of.
    service.type === 'compute' && !raw && !id.startsWith('compute.removed.') && !(id in refusals),
)

/** Of another code for an id that nothing has, as upstream. */
const otherThan404: Record<string, number> = {
  // The key of the body has to be that of the path.
  'compute.flavor_extra_specs.update os-extra_specs': 400,
  'compute.image_metadata.update images': 400,
  'compute.image_metadata.update metadata': 400,
  'compute.server_metadata.update metadata': 400,
  // A state allows the question only.
  'compute.server_migrations.delete migrations': 409,
  'compute.server_migrations.force_complete migrations': 409,
  // A tag is made by its name.
  'compute.server_tags.add tags': 201,
  'compute.server_tags.delete tags': 204,
  // A class is there as soon as it is named; a project has to be known to have quotas, not to have used nothing.
  'compute.quota_class_sets.show os-quota-class-sets': 200,
  'compute.quota_class_sets.update os-quota-class-sets': 200,
  'compute.quota_sets.show os-quota-sets': 400,
  'compute.quota_sets.detail os-quota-sets': 400,
  'compute.quota_sets.defaults os-quota-sets': 400,
  'compute.quota_sets.update os-quota-sets': 400,
  'compute.quota_sets.delete os-quota-sets': 202,
  'compute.usages.show os-simple-tenant-usage': 200,
  // It is a time.
  'compute.usage_audits.show os-instance_usage_audit_log': 400,
}

/** Ids of these are numbers. */
const absent: Record<string, string> = { 'os-aggregates': '999999', 'os-agents': '999999' }

test('an id that nothing has', async () => {
  const { cloud, ids, bodyOf } = await stage()
  await using _cloud = cloud
  const token = await cloud.login('admin')
  const other: Record<string, number> = {}
  let looked = 0
  for (const one of compute) {
    for (const kind of kinds(one.operation.path)) {
      const url = addressed(one, { ...ids, [kind]: absent[kind] ?? nobody }, nobody)
      const code = await codeOf(cloud, token, one, url, bodyOf(one))
      looked++
      if (code !== 404) other[`${one.operation.id} ${kind}`] = code
    }
  }
  assert.deepEqual(other, otherThan404)
  assert.ok(looked > 150, `${looked} requests`)
})

test('a change by one who may only look', async () => {
  const { cloud, ids, bodyOf } = await stage()
  await using _cloud = cloud
  const account = { project: 'owner', user: 'onlooker', password: 'onlooker', role: 'reader' }
  await cloud.env.services.identity.ensureAccount(cloud.ctx(), account)
  const token = await cloud.login('onlooker')
  const other: Record<string, number> = {}
  let looked = 0
  for (const one of compute) {
    if (one.operation.method === 'GET' || one.operation.policy === 'public') continue
    const code = await codeOf(cloud, token, one, addressed(one, ids, nobody), bodyOf(one))
    looked++
    if (code !== 403) other[one.operation.id] = code
  }
  // Key pairs are the user's own, not the project's; those of the images are checked by the image service, after the body.
  const expected = {
    'compute.keypairs.create': 201,
    'compute.keypairs.delete': 404,
    'compute.image_metadata.update': 400,
  }
  assert.deepEqual(other, expected)
  assert.ok(looked > 100, `${looked} requests`)
})

/** Actions that every state allows; those of addresses and groups name none that is there. */
const inEveryState: Record<string, number> = {
  'compute.servers.lock': 202,
  'compute.servers.unlock': 202,
  'compute.servers.reset_state': 202,
  'compute.servers.console_output': 200,
  'compute.servers.get_serial_console': 200,
  'compute.servers.get_vnc_console': 200,
  'compute.servers.add_security_group': 404,
  'compute.servers.remove_security_group': 404,
  'compute.servers.add_fixed_ip': 404,
  'compute.servers.remove_fixed_ip': 400,
  'compute.servers.add_floating_ip': 400,
  'compute.servers.remove_floating_ip': 404,
}

test('an action on a server whose state does not allow it', async () => {
  const { cloud, owner, ids, bodyOf } = await stage()
  await using _cloud = cloud
  const token = await cloud.login('admin')
  const building = sql`update compute_servers set vm_state = 'building', task_state = 'spawning' where id = ${ids.servers}`
  const other: Record<string, number> = {}
  let looked = 0
  for (const one of compute) {
    // Delete wins from everywhere.
    if (!one.operation.path.endsWith('/servers/{server_id}/action') || one.operation.id.endsWith('.force_delete'))
      continue
    await building.execute(cloud.env.database.root)
    const code = await codeOf(cloud, token, one, addressed(one, ids, nobody), bodyOf(one))
    looked++
    if (code !== 409) other[one.operation.id] = code
  }
  assert.deepEqual(other, inEveryState)
  assert.ok(looked > 30, `${looked} requests`)
  assert.equal((await cloud.show(owner, ids.servers!)).status, 'BUILD')
})
