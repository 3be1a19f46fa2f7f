/** DHCP, DNS and metadata with real packets, and the daemons behind them: found again after a restart, started again when dead. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { plainNetwork, plainPort, stateOf } from '../driver.contract.ts'
import type { DataPlane, HostNetworkState, MetadataRequest } from '../driver.ts'
import { clock, configure, filesOf, type Guest, guestOnPort, inLab, ip, planeIn, rule, takeDown } from './lab.ts'
import { bridgeName, tapName } from './names.ts'

interface Lease {
  offers: { address: string }[]
  ack: { address: string; options: Record<string, string> } | null
}
interface Page {
  status: number
  body: string
}

// dnsmasq ends some texts with a zero.
const text = (hex = '') => Buffer.from(hex, 'hex').toString().replace(/\0$/, '')

await inLab(import.meta.url, 'DHCP, DNS and metadata with real packets', () => {
  const network = plainNetwork(1)
  network.subnets[0]!.host_routes = [{ destination: '10.50.0.0/16', nexthop: '10.1.0.77' }]
  const v6 = { ipv6_address_mode: 'dhcpv6-stateful', ipv6_ra_mode: null, gateway_ip: null } as const
  network.subnets.push({ ...network.subnets[0]!, id: 'v6', ip_version: 6, cidr: 'fd01::/64', host_routes: [], ...v6 })
  network.dhcp_port!.ips.push({ subnet_id: 'v6', ip_address: 'fd01::2' })
  const twin = { ...plainNetwork(2), subnets: plainNetwork(2, '10.1.0.0/24').subnets }
  twin.dhcp_port!.ips[0]!.ip_address = '10.1.0.2'
  const [a, b] = [plainPort(network, 11, ['out']), plainPort(network, 12, ['out'])]
  const c = plainPort(twin, 11, ['out'])
  const leaseOf = (id: string) => network.leases.find(lease => lease.port_id === id)!
  leaseOf(a.id).ips = [...a.ips, { subnet_id: 'v6', ip_address: 'fd01::11' }]
  const rules = [
    rule({ direction: 'egress' }),
    rule({ direction: 'egress', ethertype: 'IPv6' }),
    rule({ protocol: 'udp' }),
  ]
  const group = { id: 'out', stateful: true, members: [], rules }
  const asked: MetadataRequest[] = []
  let plane: DataPlane
  let revision = 0
  let guestA: Guest
  let guestB: Guest
  let guestC: Guest

  async function converge(parts: Partial<HostNetworkState> = {}): Promise<void> {
    const state = { networks: [network, twin], ports: [a, b, c], security_groups: [group], ...parts }
    const report = await plane.converge(stateOf(++revision, state))
    assert.deepEqual(report.problems, [])
  }
  function answerMetadata(): void {
    plane.onMetadata(async request => {
      asked.push(request)
      const body = `${request.network_id} ${request.source_ip} ${request.method} ${request.path} ${request.body.length}`
      return { status: 200, headers: { 'content-type': 'text/plain' }, body }
    })
  }
  const daemonPid = async (key: string) =>
    // While a new one starts there is none.
    Number(await readFile(join(filesOf('services'), 'dnsmasq', key, 'pid'), 'utf8').catch(() => 0))
  const isAlive = (pid: number) =>
    readFile(`/proc/${pid}/cmdline`, 'utf8').then(
      line => line.includes('dnsmasq'),
      () => false,
    )

  before(async () => {
    await ip('netns add services-dp')
    guestA = await guestOnPort('services-dp', 'guest-a', a)
    guestB = await guestOnPort('services-dp', 'guest-b', b)
    guestC = await guestOnPort('services-dp', 'guest-c', c)
    await configure(guestA, network, a)
    await configure(guestB, network, b)
    await configure(guestC, twin, c)
    plane = planeIn('services')
    answerMetadata()
    await converge()
    assert.ok(await guestA.reaches('10.1.0.2'))
  })
  beforeEach(async () => {
    asked.length = 0
    leaseOf(a.id).dhcp_options = []
    await converge()
  })
  after(async () => {
    assert.deepEqual(await takeDown(plane, 'services'), [])
  })

  /** A DHCP client has no address yet. */
  async function lease(guest: Guest, mac: string): Promise<Lease> {
    await ip(`-n ${guest.netns} addr flush dev eth0 scope global`)
    await ip(`-n ${guest.netns} route add default dev eth0`)
    const result = await guest.play<Lease>('dhcp', mac)
    await ip(`-n ${guest.netns} route del default dev eth0`)
    const [own, spec] = guest === guestA ? [network, a] : [network, b]
    await configure(guest, own, spec)
    return result
  }

  test('a lease has address, gateway, name server, domain, mtu and all routes', async () => {
    const { ack } = await lease(guestA, a.mac)
    assert.equal(ack?.address, '10.1.0.11')
    const { options } = ack!
    assert.equal(options[3], '0a010001')
    assert.equal(options[6], '0a010002')
    assert.equal(text(options[15]), 'cloud.example')
    assert.equal(options[26], '05aa')
    // 169.254.169.254/32 by the DHCP port, 10.50.0.0/16 by its next hop, all else by the gateway.
    assert.equal(options[121], '20a9fea9fe0a010002100a320a01004d000a010001')
  })

  test('an unknown MAC gets nothing', async () => {
    assert.deepEqual(await lease(guestA, 'fa:16:3e:99:99:99'), { offers: [], ack: null })
  })

  test("a port's own DHCP options win, come and go, and survive being read again", async () => {
    await lease(guestA, a.mac)
    leaseOf(a.id).dhcp_options = [
      { name: 'bootfile-name', value: 'pxe.0', ip_version: 4 },
      { name: 'mtu', value: '1300', ip_version: 4 },
      { name: 'router', value: '10.1.0.254', ip_version: 4 },
      { name: 'no-such-option', value: 'x', ip_version: 4 },
      { name: 'server-ip-address', value: '1\n2', ip_version: 4 },
    ]
    await converge()
    const { options } = (await lease(guestA, a.mac)).ack!
    assert.deepEqual([text(options[67]), options[26], options[3]], ['pxe.0', '0514', '0a0100fe'])
    const pid = await daemonPid(`dhcp-${network.id}`)
    // Another port comes: the files are read again, with the tagged client's lease alive.
    const late = { ...leaseOf(b.id), port_id: 'late', mac: 'fa:16:3e:44:44:44', hostname: 'late' }
    await converge({ networks: [{ ...network, leases: [...network.leases, { ...late, ips: [] }] }, twin] })
    await lease(guestB, b.mac)
    assert.equal(await daemonPid(`dhcp-${network.id}`), pid)
    assert.ok(await isAlive(pid))
    assert.equal(text((await lease(guestA, a.mac)).ack?.options[67]), 'pxe.0')
  })

  test('names of ports are known forwards and backwards, and only in their network', async () => {
    assert.deepEqual(await guestB.play('lookup', '10.1.0.2', 'A', 'guest-11.cloud.example'), ['10.1.0.11'])
    assert.deepEqual(await guestB.play('lookup', '10.1.0.2', 'A', 'guest-11'), ['10.1.0.11'])
    assert.deepEqual(await guestB.play('lookup', '10.1.0.2', 'AAAA', 'guest-11.cloud.example'), ['fd01::11'])
    assert.deepEqual(await guestB.play('lookup', '10.1.0.2', 'PTR', '10.1.0.11'), ['guest-11.cloud.example'])
    assert.deepEqual(await guestC.play('lookup', '10.1.0.2', 'A', 'guest-12.cloud.example'), { error: 'ENOTFOUND' })
  })

  test('a new name is known as soon as it is there', async () => {
    const named = { port_id: 'named', mac: 'fa:16:3e:33:33:33', hostname: 'newcomer', dhcp_options: [] }
    const ips = [{ subnet_id: network.subnets[0]!.id, ip_address: '10.1.0.33' }]
    await converge({ networks: [{ ...network, leases: [...network.leases, { ...named, ips }] }, twin] })
    for (let look = 0; look < 20; look++) {
      const answer = await guestB.play<unknown>('lookup', '10.1.0.2', 'A', 'newcomer')
      if (Array.isArray(answer)) return assert.deepEqual(answer, ['10.1.0.33'])
    }
    assert.fail('the name never came')
  })

  test('other names are asked of the name servers of the subnet', async () => {
    const upstream = ['--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--pid-file', '--keep-in-foreground']
    const serving = guestB.exec('timeout', '4', 'dnsmasq', ...upstream, '--address=/outside.test/192.0.2.7')
    const [subnet, ...rest] = network.subnets
    const changed = { ...network, subnets: [{ ...subnet!, dns_nameservers: ['10.1.0.12'] }, ...rest] }
    await converge({ networks: [changed, twin] })
    await clock.sleep(300)
    assert.deepEqual(await guestA.play('lookup', '10.1.0.2', 'A', 'www.outside.test'), ['192.0.2.7'])
    await serving
  })

  test('metadata knows the network and the address of who asks, whatever the headers say', async () => {
    const page = await guestA.play<Page>('fetch', '169.254.169.254', '/openstack/latest/meta_data.json', '10.1.0.12')
    assert.deepEqual(page, { status: 200, body: `${network.id} 10.1.0.11 GET /openstack/latest/meta_data.json 0` })
    const other = await guestC.play<Page>('fetch', '169.254.169.254', '/')
    assert.deepEqual(other, { status: 200, body: `${twin.id} 10.1.0.11 GET / 0` })
    assert.equal(asked[0]?.headers['x-forwarded-for'], '10.1.0.12')
  })

  test('metadata is at no other address of the namespace', async () => {
    assert.equal((await guestA.play<Page>('fetch', '10.1.0.2', '/')).status, 0)
    assert.equal((await guestA.play<Page>('fetch', 'fd01::2', '/')).status, 0)
    assert.equal(asked.length, 0)
  })

  test('a request that is too large is refused before anyone reads it', async () => {
    const small = await guestA.play<Page>('post', '169.254.169.254', '/', '1000')
    assert.deepEqual(small, { status: 200, body: `${network.id} 10.1.0.11 POST / 1000` })
    assert.equal((await guestA.play<Page>('post', '169.254.169.254', '/', '200000')).status, 413)
    const long = await guestA.play<Page>('fetch', '169.254.169.254', `/${'x'.repeat(20_000)}`)
    assert.equal(long.status, 431)
    assert.equal(asked.length, 1)
  })

  test('a dead daemon is started again, a living one is kept through a restart', async () => {
    const key = `dhcp-${network.id}`
    const first = await daemonPid(key)
    process.kill(first, 'SIGKILL')
    let second = first
    for (let look = 0; look < 80 && (second === first || !(await isAlive(second))); look++) {
      await clock.sleep(100)
      second = await daemonPid(key)
    }
    assert.notEqual(second, first)
    assert.equal((await lease(guestA, a.mac)).ack?.address, '10.1.0.11')
    await plane[Symbol.asyncDispose]()
    plane = planeIn('services')
    answerMetadata()
    await converge()
    assert.equal(await daemonPid(key), second)
    assert.equal((await guestA.play<Page>('fetch', '169.254.169.254', '/')).status, 200)
  })

  test('a network that goes takes its daemon and its names along', async () => {
    const pid = await daemonPid(`dhcp-${twin.id}`)
    await converge({ networks: [network], ports: [a, b] })
    assert.equal(await isAlive(pid), false)
    const left = `${await ip('netns list')} ${await ip('-n services-dp -br link')}`
    assert.ok(!left.includes(twin.id) && !left.includes(bridgeName(twin.id)) && !left.includes(tapName(c.id)))
  })
})
