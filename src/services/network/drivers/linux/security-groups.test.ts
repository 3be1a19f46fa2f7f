/** The text of security groups: what each rule and port becomes, and how little a change writes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plainNetwork, plainPort, stateOf } from '../driver.contract.ts'
import type { PortSpec, RuleSpec, SecurityGroupSpec } from '../driver.ts'
import { tapName } from './names.ts'
import { changeText, replaceText } from './nft.ts'
import { filterRuleset, trackingRuleset, zonesOf } from './security-groups.ts'

const anyRule: RuleSpec = {
  id: 'r',
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
}

function filterOf(rules: Partial<RuleSpec>[], port: Partial<PortSpec> = {}, others: SecurityGroupSpec[] = []) {
  const network = plainNetwork(1)
  const group = { id: 'g', stateful: true, members: [], rules: rules.map(rule => ({ ...anyRule, ...rule })) }
  const spec = { ...plainPort(network, 11, ['g']), ...port }
  return filterRuleset(stateOf(1, { networks: [network], ports: [spec], security_groups: [group, ...others] }))
}

const ingress = (rules: Partial<RuleSpec>[], others?: SecurityGroupSpec[]) =>
  filterOf(rules, {}, others).chains.get('ingress-g')?.rules

describe('a rule as text', () => {
  test('protocols, ports, types and remote ranges', () => {
    assert.deepEqual(
      ingress([
        {},
        { protocol: 'tcp', port_range_min: 22, port_range_max: 22 },
        { protocol: '17', port_range_min: 1000, port_range_max: 2000, remote_ip_prefix: '10.0.0.5/8' },
        { protocol: 'icmp', port_range_min: 8, port_range_max: 0 },
        { ethertype: 'IPv6', protocol: 'icmp' },
        { ethertype: 'IPv6', protocol: 'tcp', remote_ip_prefix: '2001:DB8::/32' },
        { protocol: 'gre' },
        { protocol: 'vrrp', remote_ip_prefix: '0.0.0.0/0' },
      ]),
      [
        'ether type ip accept',
        'ether type ip tcp dport 22 accept',
        'ether type ip ip saddr 10.0.0.0/8 udp dport 1000-2000 accept',
        'ether type ip icmp type 8 icmp code 0 accept',
        'ether type ip6 meta l4proto 58 accept',
        'ether type ip6 ip6 saddr 2001:db8::/32 meta l4proto 6 accept',
        'ether type ip meta l4proto 47 accept',
        'ether type ip meta l4proto 112 accept',
      ],
    )
  })

  test('a remote range of the other family matches nothing', () => {
    assert.deepEqual(ingress([{ remote_ip_prefix: '2001:db8::/32' }]), [])
  })

  test('a remote group is a set of addresses, and one of ranges where there are any', () => {
    const remote = {
      id: 'web',
      stateful: true,
      rules: [],
      members: ['10.0.0.5', '10.0.1.0/24', '10.0.1.64/26', 'fd00::5'],
    }
    const ruleset = filterOf([{ remote_group_id: 'web' }], {}, [remote])
    assert.deepEqual(ruleset.chains.get('ingress-g')?.rules, [
      'ether type ip ip saddr @members-web-v4 accept',
      'ether type ip ip saddr @ranges-web-v4 accept',
    ])
    assert.deepEqual([...ruleset.sets.get('members-web-v4')!.elements], ['10.0.0.5'])
    assert.deepEqual([...ruleset.sets.get('ranges-web-v4')!.elements], ['10.0.1.0/24'])
  })

  test('a group that does not exist has no members', () => {
    assert.deepEqual(ingress([{ remote_group_id: 'gone' }]), ['ether type ip ip saddr @members-gone-v4 accept'])
  })
})

describe('a port as text', () => {
  const spoof = (port: Partial<PortSpec>) => {
    const ruleset = filterOf([], port)
    return [...ruleset.chains].find(([name]) => name.startsWith('spoof-'))?.[1].rules.join('\n')
  }

  test('sends from its own addresses and its pairs only', () => {
    const allowed_address_pairs = [
      { ip_address: '10.1.0.64/26', mac_address: 'fa:16:3e:00:00:aa' },
      { ip_address: '0.0.0.0/0' },
    ]
    const text = spoof({ mac: 'fa:16:3e:00:00:01', allowed_address_pairs })!
    const own = 'fa:16:3e:00:00:01 . 0.0.0.0/1, fa:16:3e:00:00:01 . 128.0.0.0/1, fa:16:3e:00:00:aa . 10.1.0.64/26'
    assert.ok(text.includes('ether saddr != { fa:16:3e:00:00:01, fa:16:3e:00:00:aa } drop'))
    assert.ok(text.includes(`arp saddr ether . arp saddr ip != { ${own} } drop`))
    assert.ok(text.includes(`ether saddr . ip saddr != { ${own} } drop`))
    assert.ok(text.includes('fa:16:3e:00:00:01 . fe80::f816:3eff:fe00:1'))
  })

  test('without an IPv4 address it sends no IPv4 but its DHCP requests', () => {
    const text = spoof({ ips: [] })!
    assert.match(text, /ip saddr 0\.0\.0\.0 udp sport 68 udp dport 67 accept\nether type ip drop/)
  })

  test('without port security everything passes, by an entry of its own', () => {
    const ruleset = filterOf([], { port_security: false })
    for (const map of ['spoof', 'egress', 'ingress']) {
      assert.match([...ruleset.sets.get(map)!.elements].join(), /^"tap[0-9a-f-]+" : accept$/)
    }
    assert.equal(
      [...ruleset.chains.keys()].some(name => name.includes('tap')),
      false,
    )
  })
})

test('networks get zones of their own, also when their segments are the same modulo 65535', () => {
  const networks = [1, 2, 3].map(n => plainNetwork(n))
  networks[1]!.segment = 65536
  networks[2]!.segment = 16_777_215
  const zones = [...zonesOf(networks).values()]
  assert.equal(new Set(zones).size, 3)
  assert.ok(zones.every(zone => zone > 0 && zone < 65536))
})

test('where the bridge family tracks by itself, zones go by port', () => {
  const network = plainNetwork(1)
  const port = plainPort(network, 11)
  const { family, sets } = trackingRuleset(stateOf(1, { networks: [network], ports: [port] }), 'bridge')
  assert.equal(family, 'bridge')
  assert.ok(sets.get('zone-of')!.elements.has(`"${tapName(port.id)}" : 1`))
})

describe('a change', () => {
  const remote = (members: string[]) => [{ id: 'web', stateful: true, rules: [], members }]

  test('of a member is one element', () => {
    const before = filterOf([{ remote_group_id: 'web' }], {}, remote(['10.0.0.5']))
    const after = filterOf([{ remote_group_id: 'web' }], {}, remote(['10.0.0.5', '10.0.0.6']))
    const grown = changeText(before, after)
    assert.deepEqual(grown, { text: 'add element bridge filter members-web-v4 { 10.0.0.6 }\n', shrinks: false })
    assert.deepEqual(changeText(after, before), {
      text: 'delete element bridge filter members-web-v4 { 10.0.0.6 }\n',
      shrinks: true,
    })
  })

  test('of a rule rewrites its chain, and says that something may have been withdrawn', () => {
    const change = changeText(filterOf([{}]), filterOf([]))
    assert.deepEqual(change, { text: 'flush chain bridge filter ingress-g\n', shrinks: true })
  })

  test('of nothing is nothing', () => {
    assert.deepEqual(changeText(filterOf([{}]), filterOf([{}])), { text: '', shrinks: false })
  })

  test('of a port away takes its entries before its chains', () => {
    const before = filterOf([])
    const after = filterRuleset(stateOf(2))
    const lines = changeText(before, after).text.trim().split('\n')
    const firstDelete = lines.findIndex(line => line.startsWith('delete chain'))
    assert.ok(lines.slice(firstDelete).every(line => line.startsWith('delete chain')))
    assert.equal(lines.filter(line => line.startsWith('delete element')).length, 3)
  })
})

test('a whole table replaces what was there in one transaction', () => {
  const lines = replaceText(filterOf([])).split('\n')
  assert.deepEqual(lines.slice(0, 3), ['table bridge filter', 'delete table bridge filter', 'table bridge filter {'])
})
