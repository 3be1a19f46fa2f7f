/** The agents API: what hosts report, as administrators see it. */
import assert from 'node:assert/strict'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { networkCloud, networkWithSubnet, refusal } from '../fixtures/cloud.ts'
import { keepReport } from './report.ts'

onEachEngine('agents live while their host reports, and show what they serve', async database => {
  const clock = virtualClock()
  await using cloud = await networkCloud({ database, clock })
  const { demo, admin } = cloud
  const facts = { name: 'fake', extensions: ['port-security'], problems: [] }
  await keepReport(cloud.ctx(), { host: 'h1', facts, started: true } as never)
  const types = (await admin.list('agents')).map(agent => agent.agent_type).sort()
  assert.deepEqual(types, ['DHCP agent', 'L3 agent', 'Linux bridge agent', 'Metadata agent'])
  const [l3] = await admin.list('agents', 'agent_type=L3%20agent')
  assert.deepEqual(
    [l3.host, l3.binary, l3.alive, l3.admin_state_up, l3.availability_zone],
    ['h1', 'neutron-l3-agent', true, true, 'nova'],
  )
  assert.match(l3.heartbeat_timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
  assert.deepEqual(await demo.list('availability_zones', 'resource=router'), [
    { name: 'nova', resource: 'router', state: 'available' },
  ])

  const router = await demo.create('routers', {})
  const ids = async (path: string) => (await admin.list(path)).map(one => one.id)
  assert.deepEqual(await ids(`routers/${router.id}/l3-agents`), [l3.id])
  assert.deepEqual(await ids(`agents/${l3.id}/l3-routers`), [router.id])
  const { network } = await networkWithSubnet(demo)
  const [dhcp] = await admin.list('agents', 'binary=neutron-dhcp-agent')
  assert.deepEqual(await ids(`networks/${network.id}/dhcp-agents`), [])
  await admin.create('ports', { network_id: network.id, 'binding:host_id': 'h1' })
  assert.deepEqual(await ids(`networks/${network.id}/dhcp-agents`), [dhcp.id])
  assert.deepEqual(await ids(`agents/${dhcp.id}/dhcp-networks`), [network.id])
  assert.deepEqual(await ids(`agents/${l3.id}/dhcp-networks`), [])

  const off = await admin.update('agents', l3.id, { admin_state_up: false, description: 'upkeep' })
  assert.deepEqual([off.admin_state_up, off.description], [false, 'upkeep'])
  const unplaced = await demo.create('routers', {})
  assert.deepEqual(await ids(`routers/${unplaced.id}/l3-agents`), [])
  assert.equal((await demo.list('availability_zones', 'resource=router'))[0].state, 'unavailable')
  assert.equal(await refusal(admin.request('DELETE', `agents/${l3.id}`)), '409 AgentInUse')
  await clock.advance(120_000)
  assert.deepEqual(await admin.list('agents', 'alive=True'), [])
  assert.equal((await demo.list('availability_zones', 'resource=network'))[0].state, 'unavailable')
  await admin.delete('agents', l3.id)
  assert.equal(await refusal(admin.request('GET', `agents/${l3.id}`)), '404 AgentNotFound')
})

onEachEngine('agents are the administrator’s alone', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const facts = { name: 'fake', extensions: [], problems: [] }
  await keepReport(cloud.ctx(), { host: 'h1', facts, started: true } as never)
  const [{ id }] = await admin.list('agents')
  assert.deepEqual(await demo.list('agents'), [])
  assert.equal((await demo.request('GET', `agents/${id}`)).status, 403)
  assert.equal((await demo.request('PUT', `agents/${id}`, { agent: { admin_state_up: false } })).status, 404)
  assert.equal((await demo.request('DELETE', `agents/${id}`)).status, 404)
  for (const path of ['dhcp-networks', 'l3-routers'])
    assert.equal((await demo.request('GET', `agents/${id}/${path}`)).status, 403)
})
