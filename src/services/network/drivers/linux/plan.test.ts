/** Pure parts: addresses, names, device batches, the last check, and which live connections a state allows. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plainNetwork, plainPort, stateOf } from '../driver.contract.ts'
import type { RouterSpec, RuleSpec } from '../driver.ts'
import { linkLocal, parseCidr, rangeTexts, withoutOverlaps } from './addresses.ts'
import { checkedState } from './check.ts'
import { mistranslated, parseFlow, revoked } from './conntrack.ts'
import { asKernel, batchFailures, type Link, linkChange, parseLinks } from './links.ts'
import { planeNames } from './names.ts'
import { routeLines } from './namespaces.ts'
import { planHost } from './plan.ts'

const names = planeNames('test')
const options = { names, physical_networks: {}, tracking: 'br_netfilter', resolvers: [] } as const

describe('addresses', () => {
  test('ranges are read, and what is none is not', () => {
    assert.deepEqual(parseCidr('10.0.0.5/24'), { version: 4, network: '10.0.0.0', address: '10.0.0.5', prefix: 24 })
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.1/33',
      '10.0.0.1/-1',
      '1',
      'fe80::1%eth0',
      '10.0.0.1/24/1',
      '0x7f.1',
      '10.0.0.1 ',
    ]) {
      assert.equal(parseCidr(text), undefined, text)
    }
  })
  test('overlapping ranges are reduced, and all addresses are two halves', () => {
    const ranges = ['10.0.0.0/25', '10.0.0.0/24', '10.0.1.1'].map(text => parseCidr(text)!)
    assert.deepEqual(withoutOverlaps(ranges).flatMap(rangeTexts), ['10.0.0.0/24', '10.0.1.1'])
    assert.deepEqual(rangeTexts(parseCidr('::/0')!), ['::/1', '8000::/1'])
  })
  test('a link-local address follows from the MAC', () => {
    assert.equal(linkLocal('fa:16:3e:04:01:0b'), 'fe80::f816:3eff:fe04:10b')
  })
})

test('names fit into fifteen characters, whatever the ids are', () => {
  const network = {
    ...plainNetwork(1),
    id: 'a network with a name',
    physical_network: 'a-physical-network-with-a-name',
  }
  const port = { ...plainPort(network, 11), network_id: network.id }
  const physical_networks = { [network.physical_network]: { host_address: '203.0.113.1/24', nat: true } }
  const plan = planHost(stateOf(1, { networks: [network], ports: [port] }), { ...options, physical_networks })
  const devices = [plan.host, ...plan.namespaces.values()].flatMap(part => [...part.links.keys()])
  assert.equal(devices.length, 6)
  for (const device of devices) assert.ok(device.length <= 15, device)
  assert.throws(() => planeNames('Too-Long-Prefix'), /prefix/)
})

describe('devices', () => {
  const tap: Link = { kind: 'tap', owner: 'p', mtu: 1450, master: 'brqx', up: true, addresses: new Set() }
  const change = (have: Map<string, Link>, wanted: Map<string, Link>) =>
    linkChange(asKernel(have), wanted, () => true).lines.map(line => line.text)

  test('what is as it should be is left alone', () => {
    assert.deepEqual(change(new Map([['tapx', tap]]), new Map([['tapx', tap]])), [])
  })
  test('only the difference is written', () => {
    assert.deepEqual(change(new Map([['tapx', tap]]), new Map([['tapx', { ...tap, mtu: 1400, up: false }]])), [
      'link set dev tapx mtu 1400',
      'link set dev tapx down',
    ])
    assert.deepEqual(change(new Map([['tapx', tap]]), new Map()), ['link del dev tapx'])
    assert.deepEqual(change(new Map(), new Map([['tapx', tap]])), [
      'tuntap add dev tapx mode tap',
      'link set dev tapx mtu 1450 master brqx',
      'link set dev tapx up',
    ])
  })
  test('new addresses come before old ones go', () => {
    const link = (...addresses: string[]): Link => ({ ...tap, kind: 'veth', addresses: new Set(addresses) })
    assert.deepEqual(change(new Map([['qg', link('10.0.0.1/24')]]), new Map([['qg', link('10.0.0.2/24')]])), [
      'addr add 10.0.0.2/24 dev qg',
      'addr del 10.0.0.1/24 dev qg',
    ])
  })
  test('are read from the kernel without loopback and its own link-local addresses', () => {
    const info = (local: string, scope: string) => ({
      family: local.includes(':') ? 'inet6' : 'inet',
      local,
      prefixlen: 64,
      scope,
    })
    const addr_info = [info('fe80::1', 'link'), info('fd00::1', 'global')]
    const json = JSON.stringify([
      {},
      { ifname: 'lo' },
      { ifname: 'qr', mtu: 1450, flags: ['UP'], linkinfo: { info_kind: 'veth' }, addr_info },
    ])
    assert.deepEqual(
      [...parseLinks(json)],
      [['qr', { kind: 'veth', mtu: 1450, mac: '', master: undefined, up: true, addresses: new Set(['fd00::1/64']) }]],
    )
  })
  test('failures of a batch are told with whose they are', () => {
    const lines = [
      { owner: 'a', text: 'link set dev x up' },
      { owner: 'b', text: 'link del dev y' },
    ]
    assert.deepEqual(batchFailures(lines, 'Cannot find device "y"\nCommand failed -:2\n'), [
      { owner: 'b', message: 'ip link del dev y: Cannot find device "y"' },
    ])
  })
})

test('routes that are not wanted go, a replaced default is not deleted after its successor came', () => {
  const route = (destination: string, via: string) => ({ owner: 'r', destination, via })
  const have = [route('default', '10.0.0.1'), route('10.9.0.0/24', '10.0.0.7')]
  assert.deepEqual(
    routeLines(have, [route('default', '10.0.0.2')]).map(line => line.text),
    ['route replace 0.0.0.0/0 via 10.0.0.2 proto static', 'route del 10.9.0.0/24 via 10.0.0.7'],
  )
})

describe('the last check', () => {
  test('leaves out what is malformed, with the reason, and keeps the rest', () => {
    const network = plainNetwork(1)
    const good = plainPort(network, 11)
    const bad = { ...plainPort(network, 12), mac: 'fa:16:3e:00:00:01; reboot' }
    const lost = { ...good, id: 'lost', network_id: 'gone' }
    const group = {
      id: 'g',
      stateful: true,
      members: ['10.0.0.1', '} drop'],
      rules: [{ ...rule, id: 'r', protocol: 'x y' }],
    }
    const { state, problems } = checkedState(
      stateOf(1, { networks: [network], ports: [good, bad, lost], security_groups: [group] }),
    )
    assert.deepEqual(
      state.ports.map(port => port.id),
      [good.id],
    )
    assert.deepEqual([state.security_groups[0]!.rules, state.security_groups[0]!.members], [[], ['10.0.0.1']])
    assert.deepEqual(problems.map(problem => problem.id).sort(), [bad.id, 'lost', 'r'].sort())
  })
})

const rule: RuleSpec = {
  id: 'r',
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
}

describe('live connections', () => {
  const saved =
    '-A -t 29 -u SEEN_REPLY,ASSURED -w 1 -s 10.1.0.11 -d 10.1.0.12 -r 10.1.0.12 -q 10.1.0.11 -p tcp --sport 4000 --dport 22 --reply-port-src 22 --reply-port-dst 4000 --state ESTABLISHED'
  const flow = parseFlow(saved)!
  const verdict = (rules: Partial<RuleSpec>[], stored = flow) => {
    const network = plainNetwork(1)
    const ports = [plainPort(network, 11, ['out']), plainPort(network, 12, ['in'])]
    const security_groups = [
      { id: 'out', stateful: true, members: ['10.1.0.11'], rules: [{ ...rule, direction: 'egress' as const }] },
      { id: 'in', stateful: true, members: [], rules: rules.map(parts => ({ ...rule, ...parts })) },
    ]
    return revoked(stateOf(1, { networks: [network], ports, security_groups }), [stored]).length === 0
  }

  test('are read from conntrack, and deleted by what does not change', () => {
    assert.deepEqual([flow.zone, flow.protocol, flow.source, flow.destinationPort], [1, 6, '10.1.0.11', 22])
    assert.equal(/ESTABLISHED|SEEN_REPLY| 29/.test(flow.deletion), false)
    assert.equal(parseFlow('conntrack v1.4.7: 3 flow entries have been shown.'), undefined)
  })
  test('live as long as a rule on each side allows them', () => {
    assert.ok(verdict([{}]))
    assert.ok(verdict([{ protocol: 'tcp', port_range_min: 20, port_range_max: 22 }]))
    assert.ok(verdict([{ remote_group_id: 'out' }]))
    assert.ok(verdict([{ remote_ip_prefix: '10.1.0.0/28' }]))
    assert.equal(verdict([]), false)
    assert.equal(verdict([{ protocol: 'udp' }]), false)
    assert.equal(verdict([{ protocol: 'tcp', port_range_min: 23, port_range_max: 99 }]), false)
    assert.equal(verdict([{ remote_group_id: 'in' }]), false)
    assert.equal(verdict([{ ethertype: 'IPv6' }]), false)
  })
  test('of an address that nobody has any more are over', () => {
    assert.equal(verdict([{}], { ...flow, source: '10.1.0.99' }), false)
    assert.ok(verdict([{}], { ...flow, source: '198.51.100.7' }))
    assert.ok(verdict([{}], { ...flow, zone: 2, source: '10.1.0.99' }), 'another network has its own addresses')
  })
  test('through a router live as long as the translation is the same', () => {
    const line = '-A -t 29 -s 198.51.100.7 -d 203.0.113.5 -g 10.1.0.11 -q 198.51.100.7 -p tcp --sport 4000 --dport 22'
    const inbound = parseFlow(line)!
    const router = (fixed_ip: string): RouterSpec => ({
      id: 'r',
      admin_state_up: true,
      interfaces: [],
      floating_ips: [{ id: 'f', floating_ip: '203.0.113.5', fixed_ip }],
      routes: [],
    })
    assert.deepEqual(mistranslated(router('10.1.0.11'), [inbound]), [])
    assert.deepEqual(mistranslated(router('10.1.0.12'), [inbound]), [inbound])
  })
})
