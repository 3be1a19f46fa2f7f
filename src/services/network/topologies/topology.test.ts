/** Networks that projects get without making them. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { externalNetwork, networkCloud, refusal } from '../fixtures/cloud.ts'

const path = (project: string) => `auto-allocated-topology/${project}`

onEachEngine('a project without a network is given one that leads outside', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  assert.equal(await refusal(demo.request('GET', `${path('None')}?fields=dry-run`)), '409 AutoAllocationFailure')
  const outside = await externalNetwork(admin)
  await admin.update('networks', outside.id, { is_default: true })
  const dry = await demo.request('GET', `${path('p-demo')}?fields=dry-run`)
  assert.equal(dry.body.auto_allocated_topology.id, 'dry-run=pass')
  assert.equal((await demo.list('networks', 'router:external=False')).length, 0)

  const made = await demo.request('GET', path('None'))
  const again = await demo.request('GET', path('p-demo'))
  assert.deepEqual(made.body, again.body)
  const network = await demo.show('networks', made.body.auto_allocated_topology.id)
  assert.deepEqual([network.name, network.project_id, network.subnets.length], ['auto_allocated_network', 'p-demo', 2])
  const [router] = await demo.list('routers')
  assert.deepEqual([router.name, router.external_gateway_info.network_id], ['auto_allocated_router', outside.id])
  assert.equal(await refusal(other.request('GET', path('p-demo'))), '403 NotAuthorized')
  assert.equal(await refusal(other.request('DELETE', path('p-demo'))), '403 NotAuthorized')

  const port = await demo.create('ports', { network_id: network.id })
  assert.equal(await refusal(demo.request('DELETE', path('p-demo'))), '409 NetworkInUse')
  assert.equal((await demo.list('routers')).length, 1)
  await demo.delete('ports', port.id)
  assert.equal((await demo.request('DELETE', path('None'))).status, 204)
  assert.deepEqual([await demo.list('routers'), await demo.list('ports')], [[], []])
  assert.equal((await demo.request('DELETE', path('None'))).status, 204)
})

onEachEngine('a server that asks for any network makes its project’s first one', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, admin } = cloud
  const { network } = cloud.env.services
  await assert.rejects(network.validate(demo.ctx(), 'auto', 'p-demo'), { type: 'UnableToAutoAllocateNetwork' })
  await admin.update('networks', (await externalNetwork(admin)).id, { is_default: true })
  await network.validate(demo.ctx(), 'auto', 'p-demo')
  const claim = (server_id: string) => {
    const owner = { server_id, hostname: server_id, project_id: 'p-demo', availability_zone: 'nova' }
    return network.claimPorts(demo.ctx(), owner, 'auto', [])
  }
  const [first, second] = await Promise.all([claim('one'), claim('two')])
  assert.equal(first[0]!.network_name, 'auto_allocated_network')
  assert.equal(first[0]!.network_id, second[0]!.network_id)
})
