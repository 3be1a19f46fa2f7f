/** Security groups and anti-spoofing with real packets: what passes, what does not, and what ends when a rule goes. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { plainNetwork, plainPort, stateOf } from '../driver.contract.ts'
import type { DataPlane, HostNetworkState, SecurityGroupSpec } from '../driver.ts'
import { clock, configure, type Guest, guestOnPort, inLab, ip, pinging, planeIn, rule, takeDown } from './lab.ts'

const allOut = [rule({ direction: 'egress' }), rule({ direction: 'egress', ethertype: 'IPv6' })]
const icmp = rule({ protocol: 'icmp' })
const tcp = rule({ protocol: 'tcp', port_range_min: 7000, port_range_max: 7010 })

await inLab(import.meta.url, 'security groups and anti-spoofing with real packets', () => {
  const network = plainNetwork(1)
  const twin = { ...plainNetwork(2), subnets: plainNetwork(2, '10.1.0.0/24').subnets, leases: [] }
  twin.dhcp_port!.ips[0]!.ip_address = '10.1.0.2'
  const own = group('own')
  const peer = group('peer')
  let [a, b, c] = [plainPort(network, 11, ['own']), plainPort(network, 12, ['peer']), plainPort(twin, 12, ['peer'])]
  const sound = { a, b, c }
  let plane: DataPlane
  let revision = 0
  let guestA: Guest
  let guestB: Guest
  let guestC: Guest

  function group(id: string): SecurityGroupSpec {
    return { id, stateful: true, members: [], rules: [] }
  }
  async function converge(parts: Partial<HostNetworkState> = {}): Promise<void> {
    const state = { networks: [network, twin], ports: [a, b, c], security_groups: [own, peer], ...parts }
    const report = await plane.converge(stateOf(++revision, state))
    assert.deepEqual(report.problems, [])
  }

  before(async () => {
    await ip('netns add filter-dp')
    guestA = await guestOnPort('filter-dp', 'guest-a', a)
    guestB = await guestOnPort('filter-dp', 'guest-b', b)
    guestC = await guestOnPort('filter-dp', 'guest-c', c)
    await configure(guestA, network, a)
    await configure(guestB, network, b)
    await configure(guestC, twin, c)
    plane = planeIn('filter')
  })
  beforeEach(async () => {
    ;({ a, b, c } = sound)
    for (const [spec, members] of [
      [own, ['10.1.0.11']],
      [peer, ['10.1.0.12']],
    ] as const) {
      Object.assign(spec, { rules: [...allOut], members: [...members], stateful: true })
    }
    await converge()
  })
  after(async () => {
    assert.deepEqual(await takeDown(plane, 'filter'), [])
  })

  test('without a rule nothing comes in, but what a guest asks for is answered', async () => {
    assert.equal(await guestA.pings('10.1.0.12'), false)
    peer.rules = [...allOut, icmp]
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
    assert.equal(await guestB.pings('10.1.0.11'), false)
  })

  test('a running ping stops when its rule is deleted, a connection under another rule lives on', async () => {
    peer.rules = [...allOut, icmp, tcp]
    await converge()
    const server = guestB.start('serve', '7000')
    await server.line()
    const chat = guestA.start('chat', '10.1.0.12', '7000', '20')
    await chat.line()
    const ping = pinging(guestA, '10.1.0.12')
    await ping.answers(3)
    peer.rules = [...allOut, tcp]
    await converge()
    assert.ok(await ping.quiet())
    chat.skip()
    for (let heard = 0; heard < 5; heard++) assert.equal(await chat.line(), '"echo"')
    await ping.stop()
    // And the connection ends with its own rule, whoever speaks first.
    peer.rules = [...allOut]
    await converge()
    await clock.sleep(200)
    chat.skip()
    await clock.sleep(400)
    assert.equal(chat.skip(), '')
    await chat.stop()
    await server.stop()
  })

  test('ports outside a range and codes of another type stay closed', async () => {
    peer.rules = [...allOut, tcp, rule({ protocol: 'icmp', port_range_min: 13, port_range_max: 0 })]
    await converge()
    assert.equal(await guestA.pings('10.1.0.12'), false)
    const server = guestB.start('serve', '7010')
    await server.line()
    assert.equal(await guestA.play('connect', '10.1.0.12', '7010'), 'connected')
    assert.equal(await guestA.play('connect', '10.1.0.12', '7009'), 'ECONNREFUSED')
    assert.equal(await guestA.play('connect', '10.1.0.12', '7011'), 'timeout')
    await server.stop()
  })

  test('a rule for a remote group follows its members', async () => {
    peer.rules = [...allOut, rule({ protocol: 'icmp', remote_group_id: 'own' })]
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
    const ping = pinging(guestA, '10.1.0.12')
    await ping.answers(2)
    own.members = []
    await converge()
    assert.ok(await ping.quiet())
    await ping.stop()
    own.members = ['10.1.0.8/29']
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
    own.members = ['0.0.0.0/0', '10.1.0.11']
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
  })

  test('egress is closed without a rule; remote prefixes count', async () => {
    peer.rules = [...allOut, icmp]
    own.rules = []
    await converge()
    assert.equal(await guestA.pings('10.1.0.12'), false)
    own.rules = [rule({ direction: 'egress', remote_ip_prefix: '10.1.0.12/31' })]
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
    own.rules = [rule({ direction: 'egress', remote_ip_prefix: '10.1.0.14/31' })]
    await converge()
    assert.equal(await guestA.pings('10.1.0.12'), false)
  })

  test('a stateless group lets no answer in by itself', async () => {
    peer.rules = [...allOut, icmp]
    own.stateful = false
    await converge()
    assert.equal(await guestA.pings('10.1.0.12'), false)
    own.rules = [...allOut, icmp]
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
  })

  test('large packets pass in fragments', async () => {
    peer.rules = [...allOut, icmp]
    await converge()
    assert.ok(await guestA.pings('10.1.0.12', '-s', '4000'))
  })

  test('IPv6 has its own rules, and neighbours find each other without one', async () => {
    const address = 'fe80::f816:3eff:fe04:10c%eth0'
    assert.equal(await guestA.pings(address), false)
    peer.rules = [...allOut, rule({ ethertype: 'IPv6', protocol: 'icmp' })]
    await converge()
    assert.ok(await guestA.pings(address))
  })

  test('a guest cannot take an address that is not its own, until the port may', async () => {
    peer.rules = [...allOut, icmp]
    await converge()
    await ip('-n guest-a addr add 10.1.0.99/24 dev eth0')
    await ip('-n guest-b neigh replace 10.1.0.99 lladdr fa:16:3e:04:01:0b dev eth0')
    assert.equal(await guestA.pings('10.1.0.12', '-I', '10.1.0.99'), false)
    a = { ...a, allowed_address_pairs: [{ ip_address: '10.1.0.96/28' }] }
    await converge()
    assert.ok(await guestA.pings('10.1.0.12', '-I', '10.1.0.99'))
    await ip('-n guest-a addr del 10.1.0.99/24 dev eth0')
  })

  test('a guest cannot take a MAC that is not its own', async () => {
    peer.rules = [...allOut, icmp]
    await converge()
    await ip('-n guest-a link set eth0 address fa:16:3e:00:00:99')
    assert.equal(await guestA.pings('10.1.0.12'), false)
    a = { ...a, port_security: false }
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
    await ip(`-n guest-a link set eth0 address ${a.mac}`)
    await ip('-n guest-b neigh flush all')
  })

  test('a guest cannot claim the gateway by ARP', async () => {
    const claimed = async () => {
      await ip('-n guest-b neigh replace 10.1.0.1 lladdr fa:16:3e:00:00:01 dev eth0 nud stale')
      await guestA.exec('arping', '-U', '-c', '2', '-w', '1', '-I', 'eth0', '10.1.0.1')
      return (await ip('-n guest-b neigh show 10.1.0.1')).includes(a.mac)
    }
    await ip('-n guest-a addr add 10.1.0.1/32 dev eth0')
    assert.equal(await claimed(), false)
    a = { ...a, port_security: false }
    await converge()
    assert.ok(await claimed(), 'the same packets arrive where nothing forbids them')
    await ip('-n guest-a addr del 10.1.0.1/32 dev eth0')
  })

  test('a guest cannot play DHCP server or IPv6 router', async () => {
    peer.rules = [...allOut, rule({ protocol: 'udp' })]
    await converge()
    const rogue = [
      '--no-ping',
      '--conf-file=/dev/null',
      '--port=0',
      '--leasefile-ro',
      '--pid-file',
      '--keep-in-foreground',
    ]
    const ranges = [
      '--dhcp-range=10.1.0.200,10.1.0.210',
      '--dhcp-range=fd66::,ra-only',
      '--enable-ra',
      '--interface=eth0',
    ]
    await ip('-n guest-b addr add fd66::1/64 dev eth0 nodad')
    const server = guestB.exec('timeout', '8', 'dnsmasq', ...rogue, ...ranges, '--dhcp-authoritative')
    const offered = async () => {
      const { offers } = await guestA.play<{ offers: { server: string }[] }>('dhcp', a.mac, '600')
      return offers.map(offer => offer.server).sort()
    }
    const prefixes = async () => (await ip('-n guest-a -6 route show fd66::/64')).trim()
    await clock.sleep(300)
    assert.deepEqual(await offered(), ['10.1.0.2'])
    assert.equal(await prefixes(), '')
    b = { ...b, port_security: false }
    await converge()
    assert.ok((await offered()).includes('10.1.0.12'), 'the same server is heard where nothing forbids it')
    await server
    await ip('-n guest-b addr del fd66::1/64 dev eth0')
  })

  test('two networks with the same addresses stay apart', async () => {
    peer.rules = [...allOut, icmp]
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
    const server = guestC.start('serve', '7000')
    await server.line()
    assert.equal(await guestC.pings('10.1.0.11'), false)
    assert.equal(await guestA.play('connect', '10.1.0.12', '7000'), 'timeout')
    await server.stop()
  })

  test('a port that is administratively down carries nothing', async () => {
    peer.rules = [...allOut, icmp]
    b = { ...b, admin_state_up: false }
    await converge()
    assert.equal(await guestA.pings('10.1.0.12'), false)
    b = sound.b
    await converge()
    assert.ok(await guestA.pings('10.1.0.12'))
  })

  test('a restart of the plane loses no packet, and takes back what was withdrawn meanwhile', async () => {
    peer.rules = [...allOut, icmp]
    await converge()
    const ping = pinging(guestA, '10.1.0.12')
    await ping.answers(3)
    await plane[Symbol.asyncDispose]()
    plane = planeIn('filter')
    await converge()
    await ping.answers(5)
    const { sent, received } = await ping.stop()
    assert.equal(sent, received)

    const doomed = pinging(guestA, '10.1.0.12')
    await doomed.answers(3)
    await plane[Symbol.asyncDispose]()
    plane = planeIn('filter')
    peer.rules = [...allOut]
    await converge()
    assert.ok(await doomed.quiet())
    await doomed.stop()
  })

  test('other changes lose no packet', async () => {
    peer.rules = [...allOut, icmp]
    await converge()
    const ping = pinging(guestA, '10.1.0.12')
    await ping.answers(2)
    const late = plainNetwork(3)
    await converge({ networks: [network, twin, late], ports: [a, b, c, plainPort(late, 20, ['own'])] })
    own.rules = [...allOut, tcp]
    await converge({ ports: [a, b] })
    await ping.answers(2)
    const { sent, received } = await ping.stop()
    assert.equal(sent, received)
  })
})
