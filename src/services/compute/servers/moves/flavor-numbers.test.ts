import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../../test/engines.ts'
import { numberAllFlavors } from '../../migrations/0017-number-all-flavors.ts'
import { serverCloud } from '../fixtures/server-cloud.ts'
import { newWorld } from '../fixtures/world.ts'

interface Listed {
  migrations: { old_instance_type_id: number; new_instance_type_id: number; migration_type: string }[]
}

onEachEngine('migrations name flavors by numbers, which stay', async database => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], world: await newWorld(undefined, database) })
  const demo = await cloud.project('p1')
  const admin = await cloud.admin()
  const server = await cloud.boot(demo)
  const act = async (body: object) => {
    const { status } = await cloud.api(admin, 'POST', `/servers/${server.id}/action`, body)
    assert.ok([202, 204].includes(status))
    await cloud.env.sagas.idle()
  }
  await act({ resize: { flavorRef: '84' } })
  await act({ revertResize: null })
  await act({ 'os-migrateLive': { host: null, block_migration: 'auto' } })
  const { body } = await cloud.api<Listed>(admin, 'GET', '/os-migrations')
  const byType = new Map(body.migrations.map(one => [one.migration_type, one]))
  const [resize, live] = [byType.get('resize')!, byType.get('live-migration')!]
  assert.ok(Number.isInteger(resize.old_instance_type_id))
  assert.ok(Number.isInteger(resize.new_instance_type_id))
  assert.notEqual(resize.old_instance_type_id, resize.new_instance_type_id)
  assert.deepEqual(
    [live.old_instance_type_id, live.new_instance_type_id],
    [resize.old_instance_type_id, resize.old_instance_type_id],
  )
})

onEachEngine('flavors from before they had numbers get them, and keep those that they have', async database => {
  await using _cloud = await serverCloud({ world: await newWorld(undefined, database) })
  const { root: db, engine } = database
  const known = () => db.selectFrom('compute_flavor_numbers').selectAll().orderBy('flavor_id').execute()
  const [first, ...others] = await known()
  assert.deepEqual(first?.flavor_id, '1')
  await db
    .deleteFrom('compute_flavor_numbers')
    .where(
      'flavor_id',
      'in',
      others.map(({ flavor_id }) => flavor_id),
    )
    .execute()
  for (let times = 0; times < 2; times++) await numberAllFlavors.up(db as never, engine)
  const after = await known()
  assert.deepEqual(
    after.map(({ flavor_id }) => flavor_id),
    ['1', ...others.map(({ flavor_id }) => flavor_id)],
  )
  assert.equal(after[0]!.number, first!.number)
  assert.equal(new Set(after.map(({ number }) => number)).size, after.length)
})
