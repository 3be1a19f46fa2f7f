/** Networks that are given to single projects. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { type Caller, externalNetwork, networkCloud, networkWithSubnet, refusal } from '../fixtures/cloud.ts'

const share = (id: string, target_tenant: string, action = 'access_as_shared') => ({
  object_type: 'network',
  object_id: id,
  action,
  target_tenant,
})
const post = (who: Caller, values: object) => refusal(who.request('POST', 'rbac-policies', { rbac_policy: values }))

onEachEngine('a network is given to one project, used by it, and taken back', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const { network, subnet } = await networkWithSubnet(demo)
  const policy = await demo.create('rbac-policies', share(network.id, 'p-other'))
  assert.deepEqual([policy.project_id, policy.target_tenant, policy.object_type], ['p-demo', 'p-other', 'network'])
  assert.deepEqual(
    [(await other.show('networks', network.id)).shared, (await demo.show('networks', network.id)).shared],
    [true, false],
  )
  assert.deepEqual(
    (await other.list('networks', 'shared=True')).map(one => one.id),
    [network.id],
  )
  assert.deepEqual(await demo.list('networks', 'shared=True'), [])
  assert.equal((await other.show('subnets', subnet.id)).id, subnet.id)
  assert.equal(await refusal(other.request('DELETE', `networks/${network.id}`)), '404 HTTPNotFound')
  assert.equal(await refusal(other.request('GET', `rbac-policies/${policy.id}`)), '404 RbacPolicyNotFound')
  const port = await other.create('ports', { network_id: network.id })
  const owner = { server_id: 's', hostname: 's', project_id: 'p-other', availability_zone: 'nova' }
  const [claimed] = await cloud.env.services.network.claimPorts(other.ctx(), owner, [{ network_id: network.id }], [])
  assert.equal(claimed!.network_id, network.id)

  assert.equal(await refusal(demo.request('DELETE', `rbac-policies/${policy.id}`)), '409 RbacPolicyInUse')
  const moved = { rbac_policy: { target_tenant: 'p-third' } }
  assert.equal(await refusal(demo.request('PUT', `rbac-policies/${policy.id}`, moved)), '409 RbacPolicyInUse')
  await other.delete('ports', port.id)
  await other.delete('ports', claimed!.id)
  assert.equal((await demo.update('rbac-policies', policy.id, { target_tenant: 'p-third' })).target_tenant, 'p-third')
  assert.equal(await refusal(other.request('GET', `networks/${network.id}`)), '404 NetworkNotFound')
  assert.equal(
    await refusal(other.request('POST', 'ports', { port: { network_id: network.id } })),
    '404 NetworkNotFound',
  )
  await demo.delete('networks', network.id)
  assert.deepEqual(await admin.list('rbac-policies'), [])
})

onEachEngine('policies that may not be are refused', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const { network } = await networkWithSubnet(demo)
  const shared = await networkWithSubnet(admin, '10.9.0.0/24')
  await admin.update('networks', shared.network.id, { shared: true })
  assert.equal(await post(demo, share(network.id, '*')), '403 PolicyNotAuthorized')
  assert.equal(await post(other, share(network.id, 'p-other')), '404 NetworkNotFound')
  assert.equal(await post(demo, share(shared.network.id, 'p-demo')), '400 InvalidInput')
  assert.equal(await post(demo, share(network.id, 'p-other', 'access_as_owner')), '400 InvalidInput')
  assert.equal(await post(demo, { ...share(network.id, 'p-other'), object_type: 'server' }), '400 InvalidInput')
  const { id } = await demo.create('rbac-policies', share(network.id, 'p-other'))
  assert.equal(await post(demo, share(network.id, 'p-other')), '409 DuplicateRbacPolicy')
  const widened = { rbac_policy: { target_tenant: '*' } }
  assert.equal(await refusal(demo.request('PUT', `rbac-policies/${id}`, widened)), '403 PolicyNotAuthorized')
  await admin.request('PUT', 'quotas/p-demo', { quota: { rbac_policy: 1 } })
  assert.equal(await post(demo, share(network.id, 'p-third')), '409 OverQuota')
})

onEachEngine('what everyone may do is a policy too, and the network’s own members say so', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other, admin } = cloud
  const { network } = await networkWithSubnet(admin)
  const everyone = await admin.create('rbac-policies', share(network.id, '*'))
  assert.equal((await demo.show('networks', network.id)).shared, true)
  const port = await demo.create('ports', { network_id: network.id })
  assert.equal(await refusal(admin.request('DELETE', `rbac-policies/${everyone.id}`)), '409 RbacPolicyInUse')
  await admin.create('rbac-policies', share(network.id, 'p-demo'))
  await admin.update('networks', network.id, { shared: false })
  assert.equal(await refusal(other.request('GET', `networks/${network.id}`)), '404 NetworkNotFound')
  assert.equal((await demo.show('ports', port.id)).id, port.id)

  const outside = await externalNetwork(admin)
  const [open] = await admin.list('rbac-policies', 'action=access_as_external')
  assert.deepEqual([open.object_id, open.target_tenant], [outside.id, '*'])
  await admin.create('rbac-policies', share(outside.id, 'p-demo', 'access_as_external'))
  await admin.delete('rbac-policies', open.id)
  assert.equal((await demo.show('networks', outside.id))['router:external'], true)
  assert.equal(await refusal(other.request('GET', `networks/${outside.id}`)), '404 NetworkNotFound')
  const gateway = { external_gateway_info: { network_id: outside.id } }
  assert.equal(await refusal(other.request('POST', 'routers', { router: gateway })), '404 NetworkNotFound')
  const floating = { floating_network_id: outside.id }
  assert.equal(await refusal(other.request('POST', 'floatingips', { floatingip: floating })), '404 NetworkNotFound')
  await demo.create('routers', gateway)
  const [left] = await admin.list('rbac-policies', 'action=access_as_external')
  assert.equal(await refusal(admin.request('DELETE', `rbac-policies/${left.id}`)), '409 RbacPolicyInUse')
})
