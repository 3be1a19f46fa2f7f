/** Servers whose disks are encrypted on their host: each with a key of its own, which nobody sees and which ends with the server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { type ServerCloud, serverCloud } from './fixtures/server-cloud.ts'
import { tiny } from './fixtures/world.ts'

async function flavor(cloud: ServerCloud, extra_specs: Record<string, string>): Promise<string> {
  const admin = await cloud.admin()
  const body = {
    flavor: { name: `encrypted-${Object.keys(extra_specs).length}`, ram: 64, vcpus: 1, disk: 1, swap: 64 },
  }
  const made = await cloud.api<{ flavor: { id: string } }>(admin, 'POST', '/flavors', body)
  const { id } = made.body.flavor
  await cloud.api(admin, 'POST', `/flavors/${id}/os-extra_specs`, { extra_specs })
  return id
}

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const flavorRef = await flavor(cloud, { 'hw:ephemeral_encryption': 'true', 'hw:ephemeral_encryption_format': 'luks' })
  const keyOf = (id: string) => cloud.drivers.h1!.guests.get(id)!.spec.disk_key
  const act = async (id: string, body: object) => {
    const answer = await cloud.api<Record<string, { message: string }>>(demo, 'POST', `/servers/${id}/action`, body)
    await cloud.env.sagas.idle()
    return { status: answer.status, message: Object.values(answer.body)[0]?.message }
  }
  return { cloud, demo, flavorRef, keyOf, act, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

test('each server has a key of its own, which the database has sealed, and its host gets whenever it starts', async () => {
  await using s = await stage()
  const [one, two] = [
    await s.cloud.boot(s.demo, { flavorRef: s.flavorRef }),
    await s.cloud.boot(s.demo, { flavorRef: s.flavorRef }),
  ]
  const key = s.keyOf(one.id)!
  assert.equal(Buffer.from(key, 'base64').length, 32)
  assert.notEqual(key, s.keyOf(two.id))
  for (const table of ['compute_server_guest_data', 'compute_servers', 'kernel_sagas', 'kernel_events']) {
    const { rows } = await sql`select * from ${sql.table(table)}`.execute(s.cloud.world.database.root)
    assert.ok(!JSON.stringify(rows).includes(key), table)
  }
  assert.equal((await s.act(one.id, { reboot: { type: 'HARD' } })).status, 202)
  assert.equal(s.keyOf(one.id), key)
  assert.equal((await s.act(one.id, { rebuild: { imageRef: tiny } })).status, 202)
  assert.equal(s.keyOf(one.id), key)
  await s.cloud.remove(s.demo, one.id)
  await s.cloud.remove(s.demo, two.id)
  const left = await sql`select disk_key from compute_server_guest_data`.execute(s.cloud.world.database.root)
  assert.deepEqual(left.rows, [])
})

test('its disk is not copied to where it would be plain', async () => {
  await using s = await stage()
  const { id } = await s.cloud.boot(s.demo, { flavorRef: s.flavorRef })
  for (const body of [
    { createImage: { name: 'copy' } },
    { createBackup: { name: 'copy', backup_type: 'daily', rotation: 1 } },
    { shelve: null },
  ]) {
    const { status, message } = await s.act(id, body)
    assert.equal(status, 409)
    assert.match(message!, /encrypted/)
  }
  const shown = await s.cloud.show(s.demo, id)
  assert.deepEqual([shown.status, shown['OS-EXT-STS:task_state']], ['ACTIVE', null])
})

test('a server whose disks are plain cannot become one whose disks are not', async () => {
  await using s = await stage()
  const { id } = await s.cloud.boot(s.demo)
  assert.equal(s.keyOf(id), undefined)
  const { status, message } = await s.act(id, { resize: { flavorRef: s.flavorRef } })
  assert.equal(status, 400)
  assert.match(message!, /not encrypted/)
})

test('a form that no host has is refused', async () => {
  await using s = await stage()
  const flavorRef = await flavor(s.cloud, {
    'hw:ephemeral_encryption': 'true',
    'hw:ephemeral_encryption_format': 'plain',
    'hw:cpu_policy': 'shared',
  })
  const answer = await s.cloud.api(s.demo, 'POST', '/servers', { server: s.cloud.newServer({ flavorRef }) })
  assert.equal(answer.status, 400)
  assert.match(JSON.stringify(answer.body), /use luks/)
})
