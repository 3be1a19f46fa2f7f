/** What every data plane does, fake or real: the same stories told to each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DataPlane, HostNetworkState, NetworkSpec, PortSpec } from './driver.ts'

export interface PlaneUnderTest extends AsyncDisposable {
  plane: DataPlane
  /** A plane of a new process on the same host. */
  restart(): Promise<DataPlane>
}

const id = (kind: number, n: number) =>
  `${kind}${String(n).padStart(7, '0')}-0000-4000-8000-${String(n).padStart(12, '0')}`

export function plainNetwork(n: number, cidr = `10.${n}.0.0/24`): NetworkSpec {
  const subnet_id = id(2, n)
  const base = cidr.replace(/\.0\/\d+$/, '')
  return {
    id: id(1, n),
    segment: n,
    mtu: 1450,
    dns_domain: 'cloud.example.',
    subnets: [
      {
        id: subnet_id,
        ip_version: 4,
        cidr,
        gateway_ip: `${base}.1`,
        enable_dhcp: true,
        dns_nameservers: [],
        host_routes: [],
        ipv6_address_mode: null,
        ipv6_ra_mode: null,
      },
    ],
    dhcp_port: { id: id(3, n), mac: mac(3, n), ips: [{ subnet_id, ip_address: `${base}.2` }] },
    leases: [],
  }
}

export function mac(kind: number, n: number): string {
  const hex = (value: number) => value.toString(16).padStart(2, '0')
  return `fa:16:3e:${hex(kind)}:${hex(n >> 8)}:${hex(n & 255)}`
}

/** A guest's port with the `n`th address of its network's first subnet, and its lease. */
export function plainPort(network: NetworkSpec, n: number, groups: string[] = []): PortSpec {
  const subnet = network.subnets[0]!
  const number = network.segment * 256 + n
  const ips = [{ subnet_id: subnet.id, ip_address: subnet.cidr.replace(/0\/\d+$/, String(n)) }]
  const port: PortSpec = {
    id: id(4, number),
    network_id: network.id,
    mac: mac(4, number),
    ips,
    admin_state_up: true,
    port_security: true,
    allowed_address_pairs: [],
    security_groups: groups,
  }
  network.leases.push({ port_id: port.id, mac: port.mac, ips, hostname: `guest-${n}`, dhcp_options: [] })
  return port
}

export function stateOf(revision: number, parts: Partial<HostNetworkState> = {}): HostNetworkState {
  return { networks: [], ports: [], security_groups: [], routers: [], ...parts, revision }
}

export function planeContract(kind: string, make: () => Promise<PlaneUnderTest>): void {
  describe(`the data plane contract: ${kind}`, () => {
    const wired = (report: { wired: { port_id: string }[] }) => report.wired.map(port => port.port_id).sort()

    test('facts name the plane and its extensions', async () => {
      await using under = await make()
      const facts = await under.plane.facts()
      assert.equal(facts.name, under.plane.name)
      assert.deepEqual(facts.problems, [])
      assert.ok(facts.extensions.includes('port-security'))
    })

    test('wires the ports it is told of, and no others', async () => {
      await using under = await make()
      const network = plainNetwork(1)
      const [a, b] = [plainPort(network, 11), plainPort(network, 12)]
      const first = await under.plane.converge(stateOf(1, { networks: [network], ports: [a] }))
      assert.deepEqual([first.revision, wired(first), first.problems], [1, [a.id], []])
      const second = await under.plane.converge(stateOf(2, { networks: [network], ports: [a, b] }))
      assert.deepEqual([second.revision, wired(second), second.problems], [2, [a.id, b.id], []])
      assert.notEqual(second.wired[0]!.tap.name, second.wired[1]!.tap.name)
      const third = await under.plane.converge(stateOf(3, { networks: [network], ports: [b] }))
      assert.deepEqual([wired(third), third.problems], [[b.id], []])
      const empty = await under.plane.converge(stateOf(4))
      assert.deepEqual([empty.revision, empty.wired, empty.problems], [4, [], []])
    })

    test('the same state twice is the same', async () => {
      await using under = await make()
      const network = plainNetwork(1)
      const state = stateOf(7, { networks: [network], ports: [plainPort(network, 11)] })
      const first = await under.plane.converge(state)
      assert.deepEqual(await under.plane.converge(structuredClone(state)), first)
    })

    test('a port of a network that is not there is told, the others are wired', async () => {
      await using under = await make()
      const network = plainNetwork(1)
      const good = plainPort(network, 11)
      const lost = plainPort(plainNetwork(2), 12)
      const report = await under.plane.converge(stateOf(1, { networks: [network], ports: [good, lost] }))
      assert.deepEqual(wired(report), [good.id])
      assert.deepEqual(
        report.problems.map(problem => problem.id),
        [lost.id],
      )
    })

    test('a new process goes on where the old one was', async () => {
      await using under = await make()
      const network = plainNetwork(1)
      const state = stateOf(1, { networks: [network], ports: [plainPort(network, 11)] })
      const before = await under.plane.converge(state)
      await using plane = await under.restart()
      assert.deepEqual(await plane.converge(state), before)
    })

    test('after a purge it starts from nothing', async () => {
      await using under = await make()
      const network = plainNetwork(1)
      const state = stateOf(1, { networks: [network], ports: [plainPort(network, 11)] })
      const before = await under.plane.converge(state)
      await under.plane.purge()
      await under.plane.purge()
      assert.deepEqual(await under.plane.converge(state), before)
    })
  })
}
