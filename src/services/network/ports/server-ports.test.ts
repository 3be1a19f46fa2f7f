/** The ports of servers: claimed, freed, and nobody else's to fake. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { networkCloud, networkWithSubnet } from '../fixtures/cloud.ts'

const owner = { server_id: 'server-1', hostname: 'web', project_id: 'p-demo', availability_zone: 'nova' }

onEachEngine('a port that was named after another project’s server is none of its', async database => {
  await using cloud = await networkCloud({ database })
  const { demo, other } = cloud
  const { network } = cloud.env.services
  const own = await networkWithSubnet(demo)
  await network.claimPorts(demo.ctx(), owner, [{ network_id: own.network.id }], [])
  const foreign = await networkWithSubnet(other, '10.66.0.0/24')
  const fake = await other.create('ports', {
    network_id: foreign.network.id,
    device_id: 'server-1',
    device_owner: 'compute:nova',
  })
  const ports = (await network.portsOf(demo.ctx(), ['server-1'])).get('server-1')!
  assert.deepEqual(
    ports.map(port => port.network_id),
    [own.network.id],
  )
  const at = (address: string) => network.serverAt(cloud.ctx(), foreign.network.id, address)
  assert.equal(await at(fake.fixed_ips[0].ip_address), undefined)

  await network.claimPorts(
    other.ctx(),
    { ...owner, server_id: 'server-2', project_id: 'p-other' },
    [{ network_id: foreign.network.id }],
    [],
  )
  const [claimed] = (await network.portsOf(other.ctx(), ['server-2'])).get('server-2')!
  await other.update('ports', claimed!.id, { device_id: 'server-1' })
  assert.equal(await at(claimed!.fixed_ips[0]!.ip_address), undefined)
  await network.bindPorts(demo.ctx(), 'server-1', 'host-1')
  await network.releasePorts(demo.ctx(), 'server-1')
  assert.deepEqual(
    (await other.list('ports', 'device_id=server-1')).map(port => port.id).sort(),
    [fake.id, claimed!.id].sort(),
  )
  assert.deepEqual(await demo.list('ports', 'device_id=server-1'), [])
})

onEachEngine('a server’s own ports go with it, those that a user made stay', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { network } = cloud.env.services
  const { network: net } = await networkWithSubnet(demo)
  const mine = await demo.create('ports', { network_id: net.id, name: 'mine' })
  await network.claimPorts(demo.ctx(), owner, [{ port_id: mine.id }, { network_id: net.id }], [])
  await network.bindPorts(demo.ctx(), 'server-1', 'host-1')
  const shown = await demo.show('ports', mine.id)
  assert.deepEqual([shown.device_id, shown.device_owner, shown.dns_name], ['server-1', 'compute:nova', 'web'])
  assert.equal((await demo.list('ports', 'device_owner=compute:nova')).length, 2)
  await network.releasePorts(demo.ctx(), 'server-1')
  const left = (await demo.list('ports')).filter(port => port.device_owner !== 'network:dhcp')
  assert.deepEqual(
    left.map(port => [port.name, port.device_id, port.device_owner, port.status]),
    [['mine', '', '', 'DOWN']],
  )
})

onEachEngine('a port that a server gets when others have gone is the one claimed, and shown last', async database => {
  await using cloud = await networkCloud({ database })
  const { demo } = cloud
  const { network } = cloud.env.services
  const { network: net } = await networkWithSubnet(demo)
  const wanted = { network_id: net.id }
  const [first, second, third] = await network.claimPorts(demo.ctx(), owner, [wanted, wanted, wanted], [])
  for (const gone of [first!, second!]) await network.releasePort(demo.ctx(), 'server-1', gone.id)

  const mine = await demo.create('ports', wanted)
  const claimed = await network.claimPorts(demo.ctx(), owner, [{ port_id: mine.id }], [])
  const has = (await network.portsOf(demo.ctx(), ['server-1'])).get('server-1')!
  assert.deepEqual(
    [claimed, has].map(ports => ports.map(port => port.id)),
    [[mine.id], [third!.id, mine.id]],
  )
})

onEachEngine(
  'a server shows its ports in the order in which it got them, each with all addresses and groups once, in a long list as alone',
  async database => {
    await using cloud = await networkCloud({ database })
    const { demo } = cloud
    const { network } = cloud.env.services
    const { network: net, subnet } = await networkWithSubnet(demo)
    const groups = [
      await demo.create('security-groups', { name: 'web' }),
      await demo.create('security-groups', { name: 'ssh' }),
    ]
    const fixed_ips = [{ subnet_id: subnet.id }, { subnet_id: subnet.id }]
    const security_groups = groups.map(group => group.id)
    const rich = await demo.create('ports', { network_id: net.id, fixed_ips, security_groups })
    await network.claimPorts(demo.ctx(), owner, [{ network_id: net.id }, { port_id: rich.id }], [])
    await network.claimPorts(demo.ctx(), { ...owner, server_id: 'server-2' }, [{ network_id: net.id }], [])

    const whole = (await network.portsOf(demo.ctx(), ['server-1'])).get('server-1')!
    assert.deepEqual(
      whole.map(({ id, fixed_ips, security_groups }) => [id === rich.id, fixed_ips.length, security_groups.length]),
      [
        [false, 1, 1],
        [true, 2, 2],
      ],
    )
    const asShown = whole.map(({ network_name, mac_address, fixed_ips, floating_ips, security_groups }) => ({
      ...{ network_name, mac_address, floating_ips },
      fixed_ips: fixed_ips.map(({ ip_address, version }) => ({ ip_address, version })),
      security_groups: security_groups.map(({ name }) => ({ name })),
    }))
    const others = Array.from({ length: 20 }, (_, i) => `nobody-${i}`)
    for (const ids of [
      ['server-1', 'server-2'],
      ['server-2', ...others, 'server-1'],
    ]) {
      const shown = await network.shownPorts(demo.ctx(), ids)
      assert.deepEqual(shown.get('server-1'), asShown)
      assert.deepEqual([...shown.keys()].sort(), ['server-1', 'server-2'])
    }
  },
)
