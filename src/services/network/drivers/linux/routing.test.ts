/** Routers with real packets: between networks, to the outside, floating IPs both ways and around the corner, IPv6. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { mac, plainNetwork, plainPort, stateOf } from '../driver.contract.ts'
import type { DataPlane, HostNetworkState, NetworkSpec, RouterSpec, SubnetSpec } from '../driver.ts'
import { runIn } from './exec.ts'
import {
  clock,
  configure,
  type Guest,
  guestIn,
  guestOnPort,
  inLab,
  ip,
  pinging,
  planeIn,
  rule,
  takeDown,
} from './lab.ts'

const open = ['IPv4', 'IPv6'].flatMap(ethertype => [
  rule({ direction: 'egress', ethertype: ethertype as 'IPv4' }),
  rule({ direction: 'ingress', ethertype: ethertype as 'IPv4' }),
])

await inLab(import.meta.url, 'routers and floating IPs with real packets', () => {
  const outside: NetworkSpec = { ...plainNetwork(9, '203.0.113.0/24'), mtu: 1400, physical_network: 'public' }
  outside.dhcp_port = undefined
  const left = plainNetwork(1)
  const right = plainNetwork(2)
  left.subnets.push(slaac('fd01::/64'))
  left.dhcp_port!.ips.push({ subnet_id: 'v6', ip_address: 'fd01::2' })
  const group = { id: 'open', stateful: true, members: [], rules: open }
  const ports = [plainPort(left, 11, ['open']), plainPort(left, 12, ['open']), plainPort(right, 21, ['open'])]
  const [a, b, c] = ports as [(typeof ports)[0], (typeof ports)[0], (typeof ports)[0]]
  a.ips = [...a.ips, { subnet_id: 'v6', ip_address: 'fd01::f816:3eff:fe04:10b' }]
  let router: RouterSpec
  let plane: DataPlane
  let revision = 0
  let guestA: Guest
  let guestB: Guest
  let guestC: Guest
  let far: Guest
  const here = guestIn(null)

  function slaac(cidr: string): SubnetSpec {
    const modes = { ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' } as const
    return { ...plainNetwork(1).subnets[0]!, id: 'v6', ip_version: 6, cidr, gateway_ip: 'fd01::1', ...modes }
  }
  function freshRouter(): RouterSpec {
    return {
      id: 'router-1',
      admin_state_up: true,
      interfaces: [
        { port_id: 'r1-left', network_id: left.id, mac: mac(5, 1), addresses: ['10.1.0.1/24', 'fd01::1/64'] },
        { port_id: 'r1-right', network_id: right.id, mac: mac(5, 2), addresses: ['10.2.0.1/24'] },
      ],
      gateway: {
        port_id: 'r1-gw',
        network_id: outside.id,
        mac: mac(5, 3),
        addresses: ['203.0.113.10/24'],
        enable_snat: true,
        gateway_ips: ['203.0.113.1'],
      },
      floating_ips: [],
      routes: [],
    }
  }
  async function converge(parts: Partial<HostNetworkState> = {}): Promise<void> {
    const state = { networks: [left, right, outside], ports, security_groups: [group], routers: [router], ...parts }
    const report = await plane.converge(stateOf(++revision, state))
    assert.deepEqual(report.problems, [])
  }
  /** Whom a server sees when `guest` connects to it. */
  async function seenBy(server: Guest, address: string, guest: Guest): Promise<string> {
    const serving = server.start('serve', '7000')
    await serving.line()
    assert.equal(await guest.play('connect', address, '7000'), 'connected')
    const { peer } = JSON.parse(await serving.line()) as { peer: string }
    await serving.stop()
    return peer.replace('::ffff:', '')
  }

  before(async () => {
    await ip('netns add routing-dp')
    await ip('netns add far')
    await ip('link add up0 type veth peer name eth0 netns far')
    await ip('addr add 198.51.100.1/24 dev up0')
    await ip('link set up0 up')
    await ip('-n far addr add 198.51.100.2/24 dev eth0')
    await ip('-n far link set eth0 up')
    await ip('-n far link set lo up')
    far = guestIn('far')
    guestA = await guestOnPort('routing-dp', 'guest-a', a)
    guestB = await guestOnPort('routing-dp', 'guest-b', b)
    guestC = await guestOnPort('routing-dp', 'guest-c', c)
    await configure(guestA, left, { ...a, ips: a.ips.slice(0, 1) })
    await configure(guestB, left, b)
    await configure(guestC, right, c)
    plane = planeIn('routing')
    router = freshRouter()
    await converge()
    assert.ok(await guestA.reaches('10.1.0.1'))
    assert.ok(await guestC.reaches('10.2.0.1'))
  })
  beforeEach(async () => {
    router = freshRouter()
    await converge()
    // What a test took down.
    await ip('-n guest-a link set eth0 up')
    await ip('-n guest-a route replace default via 10.1.0.1')
    await ip('-n guest-a route replace 169.254.169.254 via 10.1.0.2')
  })
  after(async () => {
    assert.deepEqual(await takeDown(plane, 'routing'), [])
  })

  test('guests of two networks reach each other with their own addresses', async () => {
    assert.equal(await seenBy(guestC, '10.2.0.21', guestA), '10.1.0.11')
    assert.equal(await seenBy(guestA, '10.1.0.11', guestC), '10.2.0.21')
  })

  test('a guest reaches the outside as the router, and beyond the host as the host', async () => {
    assert.ok(await guestA.pings('203.0.113.1'))
    // The far host knows no way back to our networks: only translated packets are answered.
    assert.equal(await seenBy(far, '198.51.100.2', guestA), '198.51.100.1')
  })

  test('without source translation nothing is answered', async () => {
    router.gateway!.enable_snat = false
    await converge()
    assert.equal(await guestA.pings('203.0.113.1'), false)
  })

  test('a floating IP works in both directions', async () => {
    await ip('-n far route add 203.0.113.0/24 via 198.51.100.1')
    router.floating_ips = [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.1.0.11' }]
    await converge()
    assert.equal(await seenBy(guestA, '203.0.113.50', far), '198.51.100.2')
    assert.equal(await seenBy(here, '203.0.113.1', guestA), '203.0.113.50')
    await ip('-n far route del 203.0.113.0/24')
  })

  test('a guest reaches its neighbour, and itself, by floating IP', async () => {
    router.floating_ips = [
      { id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.1.0.11' },
      { id: 'f2', floating_ip: '203.0.113.51', fixed_ip: '10.1.0.12' },
    ]
    await converge()
    assert.equal(await seenBy(guestB, '203.0.113.51', guestA), '203.0.113.50')
    assert.equal(await seenBy(guestA, '203.0.113.50', guestC), '203.0.113.10')
    assert.ok(await guestA.pings('203.0.113.50'))
  })

  test('a floating IP moves at once, and takes its connections from the one it left', async () => {
    router.floating_ips = [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.1.0.11' }]
    await converge()
    const ping = pinging(here, '203.0.113.50')
    await ping.answers(3)
    router.floating_ips = [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.2.0.21' }]
    await converge()
    await ping.answers(3)
    await ip('-n guest-a link set eth0 down')
    await ping.answers(3)
    await ping.stop()
  })

  test('a floating IP that is taken away ends its connections', async () => {
    router.floating_ips = [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.1.0.11' }]
    await converge()
    const ping = pinging(here, '203.0.113.50')
    await ping.answers(3)
    router.floating_ips = []
    await converge()
    assert.ok(await ping.quiet())
    await ping.stop()
  })

  test('a floating IP that moves to another router is found there', async () => {
    router.floating_ips = [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.1.0.11' }]
    await converge()
    const ping = pinging(here, '203.0.113.50')
    await ping.answers(3)
    const other: RouterSpec = {
      ...freshRouter(),
      id: 'router-2',
      interfaces: [{ port_id: 'r2-right', network_id: right.id, mac: mac(6, 2), addresses: ['10.2.0.1/24'] }],
      gateway: { ...freshRouter().gateway!, port_id: 'r2-gw', mac: mac(6, 3), addresses: ['203.0.113.11/24'] },
      floating_ips: [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.2.0.21' }],
    }
    router = { ...freshRouter(), interfaces: freshRouter().interfaces.slice(0, 1) }
    await converge({ routers: [router, other] })
    await ping.answers(3)
    await ping.stop()
    assert.ok(await guestC.reaches('203.0.113.1'))
  })

  test('extra routes lead where they say', async () => {
    await ip('-n guest-c addr add 10.77.0.1/32 dev lo')
    router.routes = [{ destination: '10.77.0.0/24', nexthop: '10.2.0.21' }]
    c.allowed_address_pairs = [{ ip_address: '10.77.0.1' }]
    await converge()
    assert.ok(await guestA.pings('10.77.0.1'))
    router.routes = []
    await converge()
    assert.equal(await guestA.pings('10.77.0.1'), false)
    c.allowed_address_pairs = []
  })

  test('TCP segments are cut to what the way out carries', async () => {
    const serving = far.start('serve', '7000')
    await serving.line()
    const chain = 'type filter hook prerouting priority 0;'
    const text = `table inet seen { chain c { ${chain} tcp flags syn tcp option maxseg size 1360 counter; }; }\n`
    await runIn('far', 'nft', ['-f', '-'], { input: text })
    assert.equal(await guestA.play('connect', '198.51.100.2', '7000'), 'connected')
    assert.match((await far.exec('nft', 'list', 'table', 'inet', 'seen')).stdout, /counter packets 1 /)
    await serving.stop()
  })

  test('a guest finds its IPv6 address and gateway by itself', async () => {
    await ip('-n guest-a link set eth0 down')
    await ip('-n guest-a link set eth0 up')
    const addresses = async () =>
      (await ip('-n guest-a -6 addr show dev eth0 scope global')).includes('fd01::f816:3eff:fe04:10b')
    for (let look = 0; look < 60 && !(await addresses()); look++) await clock.sleep(100)
    assert.ok(await addresses())
    assert.match(await ip('-n guest-a -6 route show default'), /via fe80::/)
    assert.ok(await guestA.reaches('fd01::1'))
  })

  test('a router that is administratively down routes nothing, and comes back', async () => {
    router.admin_state_up = false
    await converge()
    assert.equal(await guestA.pings('10.2.0.21'), false)
    router.admin_state_up = true
    await converge()
    assert.ok(await guestA.reaches('10.2.0.21'))
  })

  test('a restart loses no packet through a floating IP', async () => {
    router.floating_ips = [{ id: 'f1', floating_ip: '203.0.113.50', fixed_ip: '10.1.0.11' }]
    await converge()
    const ping = pinging(here, '203.0.113.50')
    await ping.answers(3)
    await plane[Symbol.asyncDispose]()
    plane = planeIn('routing')
    await converge()
    await ping.answers(3)
    const { sent, received } = await ping.stop()
    assert.equal(sent, received)
  })
})
