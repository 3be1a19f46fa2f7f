/** From the API to a packet: what users ask for is in the database, and real guests on the Linux data plane live by it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { silentLog } from '#kernel/log.ts'
import { networkAgent } from '../agent/agent.ts'
import type { ServerPort } from '../contract.ts'
import type { DataPlane } from '../drivers/driver.ts'
import { clock, type Guest, guestIn, guestOnPort, inLab, ip, pinging, planeIn, takeDown } from '../drivers/linux/lab.ts'
import { type NetworkCloud, networkCloud, networkWithSubnet, type Shown } from '../fixtures/cloud.ts'

const prefix = 'rows'
const patience = AbortSignal.timeout(300_000)

await inLab(import.meta.url, 'from the API to a packet', () => {
  let cloud: NetworkCloud
  let plane: DataPlane
  let agent: AsyncDisposable
  let network: Shown
  let outside: Shown
  let web: ServerPort
  let db: ServerPort
  let webGuest: Guest
  let dbGuest: Guest
  const host = guestIn(null)

  const addressOf = (port: ServerPort) => port.fixed_ips[0]!.ip_address
  const portOf = async (port: ServerPort): Promise<Shown> => cloud.admin.show('ports', port.id)

  /** Until it is so: hosts hear of a change after the request for it is answered. */
  async function soon(what: () => Promise<boolean>): Promise<void> {
    for (let left = 100; !(await what()); left--) {
      assert.ok(left > 0, `never came to be: ${what}`)
      await clock.sleep(100)
    }
  }

  async function claim(serverId: string): Promise<ServerPort> {
    const owner = { server_id: serverId, hostname: serverId, project_id: 'p-demo', availability_zone: 'nova' }
    const { claimPorts } = cloud.env.services.network
    return (await claimPorts(cloud.demo.ctx(), owner, [{ network_id: network.id }], []))[0]!
  }

  async function dhcpAddress(): Promise<string> {
    const [port] = await cloud.admin.list('ports', `network_id=${network.id}&device_owner=network:dhcp`)
    return port.fixed_ips[0].ip_address
  }

  before(async () => {
    cloud = await networkCloud({ clock })
    const external = { 'provider:network_type': 'flat', 'provider:physical_network': 'public', 'router:external': true }
    outside = await cloud.admin.create('networks', { name: 'public', ...external })
    const range = { ip_version: 4, cidr: '203.0.113.0/24', enable_dhcp: false }
    await cloud.admin.create('subnets', { network_id: outside.id, ...range })
    const made = await networkWithSubnet(cloud.demo, '10.1.0.0/24')
    network = made.network
    const router = await cloud.demo.create('routers', { external_gateway_info: { network_id: outside.id } })
    await cloud.demo.request('PUT', `routers/${router.id}/add_router_interface`, { subnet_id: made.subnet.id })
    web = await claim('web')
    db = await claim('db')
    const dataplane = `${prefix}-dp`
    await ip(`netns add ${dataplane}`)
    webGuest = await guestOnPort(dataplane, 'guest-web', { id: web.id, mac: web.mac_address })
    dbGuest = await guestOnPort(dataplane, 'guest-db', { id: db.id, mac: db.mac_address })
    for (const [guest, port] of [[webGuest, web] as const, [dbGuest, db] as const]) {
      await ip(`-n ${guest.netns} addr add ${addressOf(port)}/24 dev eth0`)
      await ip(`-n ${guest.netns} route add default via 10.1.0.1`)
    }
    for (const server of ['web', 'db']) await cloud.env.services.network.bindPorts(cloud.ctx(), server, 'h1')
    plane = planeIn(prefix)
    agent = await networkAgent({ bus: cloud.env.bus, host: 'h1', plane, clock, log: silentLog() })
  })

  after(async () => {
    await agent[Symbol.asyncDispose]()
    const left = await takeDown(plane, prefix)
    await cloud[Symbol.asyncDispose]()
    assert.deepEqual(left, [])
  })

  test('a server’s port is wired and ACTIVE', async () => {
    for (const [server, port] of [['web', web] as const, ['db', db] as const]) {
      const [nic] = await cloud.env.services.network.wire(cloud.ctx(), server, 'h1', patience)
      assert.deepEqual(
        [nic!.port_id, nic!.mac, nic!.mtu, nic!.tap],
        [port.id, port.mac_address, network.mtu, { name: `tap${port.id.slice(0, 11)}`, netns: `${prefix}-dp` }],
      )
      assert.equal((await portOf(port)).status, 'ACTIVE')
    }
  })

  test('DHCP gives it its address, DNS its name', async () => {
    for (const [guest, port] of [[webGuest, web] as const, [dbGuest, db] as const]) {
      await soon(async () => {
        const { ack } = await guest.play<{ ack: { address: string } | null }>('dhcp', port.mac_address)
        return ack?.address === addressOf(port)
      })
    }
    assert.deepEqual(await webGuest.play('lookup', await dhcpAddress(), 'A', 'db.openstacklocal'), [addressOf(db)])
    assert.ok(await webGuest.reaches(addressOf(db)))
  })

  test('it is known to the metadata service by its address', async () => {
    const metadata = async (_ctx: unknown, { server_id, path }: { server_id: string; path: string }) => ({
      status: 200,
      headers: { 'content-type': 'text/plain' },
      body: `${server_id} ${path}`,
    })
    Object.assign(cloud.env.services, { compute: { ...cloud.env.services.compute, metadata } })
    await ip(`-n ${webGuest.netns} route add 169.254.169.254 via ${await dhcpAddress()}`)
    const page = await webGuest.play('fetch', '169.254.169.254', '/openstack', addressOf(db))
    assert.deepEqual(page, { status: 200, body: 'web /openstack' })
  })

  test('it reaches outside, and is reached by its floating IP when a rule allows it, no longer than that', async () => {
    await soon(() => webGuest.pings('203.0.113.1'))
    const floating = await cloud.demo.create('floatingips', { floating_network_id: outside.id, port_id: web.id })
    const address = floating.floating_ip_address
    await soon(async () => (await cloud.demo.show('floatingips', floating.id)).status === 'ACTIVE')
    assert.equal(await host.pings(address), false)
    const group = (await cloud.demo.list('security-groups', 'name=default'))[0]
    const icmp = { security_group_id: group.id, direction: 'ingress', protocol: 'icmp' }
    const rule = await cloud.demo.create('security-group-rules', icmp)
    await soon(() => host.pings(address))
    const running = pinging(host, address)
    await running.answers(3)
    await cloud.demo.delete('security-group-rules', rule.id)
    await soon(() => running.quiet())
    await running.stop()
    await cloud.demo.delete('floatingips', floating.id)
    await soon(async () => !(await ip('-all netns exec ip -4 addr')).includes(address))
  })

  test('a port that is taken off the host is gone from it', async () => {
    const devices = () => ip(`-n ${prefix}-dp -br link`)
    assert.ok((await devices()).includes(`tap${db.id.slice(0, 11)}`))
    await cloud.env.services.network.releasePorts(cloud.ctx(), 'db')
    await soon(async () => !(await devices()).includes(`tap${db.id.slice(0, 11)}`))
    assert.equal(await webGuest.pings(addressOf(db)), false)
    assert.ok((await devices()).includes(`tap${web.id.slice(0, 11)}`))
  })
})
