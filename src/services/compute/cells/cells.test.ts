/** Every cloud has cells: cell1 for its servers, cell0 for those that no host could take. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld } from '../servers/fixtures/world.ts'

onEachEngine('servers are counted in the cell that they are mapped to, until they are deleted', async database => {
  await using cloud = await serverCloud({ world: await newWorld(undefined, database), memoryMb: 1024 })
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  type Cells = { cell_mappings: { name: string | null; servers: number }[] }
  const cells = async () =>
    Object.fromEntries(
      (await cloud.api<Cells>(admin, 'GET', '/os-cell-mappings')).body.cell_mappings.map(one => [
        one.name,
        one.servers,
      ]),
    )
  assert.deepEqual(await cells(), { cell0: 0, cell1: 0, null: 0 })
  const placed = await cloud.boot(demo)
  const unplaced = await cloud.boot(demo, { flavorRef: '3' })
  assert.deepEqual([placed.status, unplaced.status], ['ACTIVE', 'ERROR'])
  assert.deepEqual(await cells(), { cell0: 1, cell1: 1, null: 0 })
  await cloud.remove(demo, unplaced.id)
  assert.deepEqual(await cells(), { cell0: 0, cell1: 1, null: 0 })
  assert.equal((await cloud.api(demo, 'GET', '/os-cell-mappings')).status, 403)
})
