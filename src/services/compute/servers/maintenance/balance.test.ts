/** Stories of hosts whose load is evened out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../fixtures/server-cloud.ts'

interface Shown {
  hosts: { host: string; before: number; after: number }[]
  moves: { server_id: string; from_host: string; to_host: string }[]
}

async function stage() {
  const cloud = await serverCloud({ hosts: ['h1'], vcpus: 2, set: ['compute.hosts.cpu_allocation_ratio=4'] })
  const [admin, demo] = [await cloud.admin(), await cloud.project('p1')]
  return Object.assign(cloud, {
    administrator: admin,
    demo,
    async dryRun(query = ''): Promise<Shown> {
      return (await cloud.api<{ balance: Shown }>(admin, 'GET', `/os-balance${query}`)).body.balance
    },
    balance: (more = {}) =>
      cloud.api<{ maintenance: { id: string } }>(admin, 'POST', '/os-maintenances', {
        maintenance: { kind: 'balance', ...more },
      }),
    hostOf: async (id: string) => (await cloud.row(id)).host,
  })
}

test('a dry run lists moves and changes nothing; applied, hosts are loaded alike', async t => {
  await using s = await stage()
  const ids: string[] = []
  for (let n = 0; n < 6; n++) ids.push((await s.boot(s.demo)).id)
  await s.addHost('h2')
  const begun = t.mock.method(s.env.database, 'transaction')
  const planned = await s.dryRun()
  assert.equal(begun.mock.callCount(), 0, 'nobody has to wait for it')
  begun.mock.restore()
  assert.deepEqual(planned.hosts.map(one => [one.host, one.before, one.after]).sort(), [
    ['h1', 75, 37.5],
    ['h2', 0, 37.5],
  ])
  assert.deepEqual([planned.moves.length, new Set(planned.moves.map(move => move.to_host))], [3, new Set(['h2'])])
  assert.deepEqual((await s.dryRun('?most=1')).moves.length, 1)
  assert.deepEqual(await Promise.all(ids.map(s.hostOf)), Array(6).fill('h1'), 'nothing has moved')
  assert.deepEqual(Object.keys(await s.allocated(ids[0]!)), ['h1'])

  assert.equal((await s.balance({ host: 'h1' })).status, 400)
  assert.equal((await s.balance()).status, 202)
  await s.env.sagas.idle()
  assert.deepEqual((await Promise.all(ids.map(s.hostOf))).sort(), ['h1', 'h1', 'h1', 'h2', 'h2', 'h2'])
  for (const id of ids) assert.equal((await s.show(s.demo, id)).status, 'ACTIVE')
  assert.deepEqual((await s.dryRun()).moves, [])
  assert.equal((await s.api(s.demo, 'GET', '/os-balance')).status, 403)
})

test('what rules keep together stays together, and what is apart stays apart', async () => {
  await using s = await stage()
  const group = async (policy: string) => {
    const { body } = await s.api<{ server_group: { id: string } }>(s.demo, 'POST', '/os-server-groups', {
      server_group: { name: policy, policy },
    })
    return body.server_group.id
  }
  const together = await group('affinity')
  for (let n = 0; n < 4; n++) {
    const patch = { server: s.newServer(), 'os:scheduler_hints': { group: together } }
    assert.equal((await s.api(s.demo, 'POST', '/servers', patch)).status, 202)
    await s.env.sagas.idle()
  }
  await s.addHost('h2')
  const planned = await s.dryRun()
  assert.deepEqual(planned.moves, [], 'none of them may leave the others')
  assert.deepEqual(planned.hosts.find(one => one.host === 'h1')?.after, 50)
})

test('what is apart is planned apart: the second of a group goes elsewhere than the first', async () => {
  await using s = await stage()
  const { body } = await s.api<{ server_group: { id: string } }>(s.demo, 'POST', '/os-server-groups', {
    server_group: { name: 'apart', policy: 'anti-affinity', rules: { max_server_per_host: 4 } },
  })
  const hints = { 'os:scheduler_hints': { group: body.server_group.id } }
  for (let n = 0; n < 4; n++)
    assert.equal((await s.api(s.demo, 'POST', '/servers', { server: s.newServer(), ...hints })).status, 202)
  await s.env.sagas.idle()
  // From now on the group is as strict as can be.
  await s.env.database.root
    .updateTable('compute_server_groups')
    .set({ rules: JSON.stringify({ max_server_per_host: 1 }) as never })
    .execute()
  await s.addHost('h2')
  await s.addHost('h3')
  const { moves } = await s.dryRun('?spread=1&most=10')
  assert.deepEqual(
    moves.map(move => move.to_host).sort(),
    ['h2', 'h3'],
    'one to each host, though there is room for more',
  )
})
