import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../../test/engines.ts'
import { serverCloud } from '../fixtures/server-cloud.ts'
import { newWorld } from '../fixtures/world.ts'
import { forgetMoves, moves } from './store.ts'

onEachEngine('moves that ended long ago are forgotten; one that waits for a decision stays', async database => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], world: await newWorld(undefined, database) })
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  const { id } = await cloud.boot(demo)
  for (const body of [{ 'os-migrateLive': { host: null, block_migration: 'auto' } }, { migrate: null }]) {
    assert.equal((await cloud.api(admin, 'POST', `/servers/${id}/action`, body)).status, 202)
    await cloud.env.sagas.idle()
  }
  const left = async () => (await moves.list(cloud.ctx().db)).map(({ type, status }) => `${type} ${status}`).sort()
  const both = ['live-migration completed', 'migration finished']
  assert.deepEqual(await left(), both)
  const now = cloud.env.clock.now()
  await forgetMoves(cloud.ctx(), new Date(now - 60_000).toISOString())
  assert.deepEqual(await left(), both)
  await forgetMoves(cloud.ctx(), new Date(now + 60_000).toISOString())
  assert.deepEqual(await left(), ['migration finished'])
})
