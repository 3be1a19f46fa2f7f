/** The files of dnsmasq as text, and what tenants may not smuggle into them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { plainNetwork, plainPort } from '../driver.contract.ts'
import type { NetworkSpec, RouterSpec, SubnetSpec } from '../driver.ts'
import { dhcpDaemon, optionText, routerDaemon, safeDomain, safeLabel } from './dhcp.ts'

function v6(parts: Partial<SubnetSpec>): SubnetSpec {
  return { ...plainNetwork(1).subnets[0]!, id: 'v6', ip_version: 6, cidr: 'fd01::/64', gateway_ip: 'fd01::1', ...parts }
}

function filesOf(network: NetworkSpec, resolvers: string[] = []) {
  const { conf, files } = dhcpDaemon(network, network.dhcp_port!, 'ns', resolvers)
  const lines = (text = '') => text.split('\n').filter(Boolean)
  return {
    conf: lines(conf),
    hosts: lines(files['dhcp-hostsfile']),
    options: lines(files['dhcp-optsfile']),
    names: lines(files['addn-hosts']),
  }
}

describe('a network', () => {
  test('serves static leases of its subnets', () => {
    const network = plainNetwork(1)
    network.subnets.push(v6({ ipv6_address_mode: 'dhcpv6-stateful' }))
    const port = plainPort(network, 11)
    network.leases[0]!.ips = [...port.ips, { subnet_id: 'v6', ip_address: 'fd01::11' }]
    const { conf, hosts, names } = filesOf(network, ['192.0.2.53'])
    assert.ok(conf.includes(`dhcp-range=set:subnet-${network.subnets[0]!.id},10.1.0.0,static,255.255.255.0,86400`))
    assert.ok(conf.includes('dhcp-range=set:subnet-v6,fd01::,static,64,86400'))
    assert.ok(conf.includes('server=192.0.2.53'))
    assert.deepEqual(hosts, [`${port.mac},10.1.0.11,[fd01::11],guest-11,86400`])
    assert.deepEqual(names, ['10.1.0.11 guest-11.cloud.example guest-11', 'fd01::11 guest-11.cloud.example guest-11'])
  })

  test("asks its subnets' name servers rather than the host's", () => {
    const network = plainNetwork(1)
    network.subnets[0]!.dns_nameservers = ['192.0.2.1']
    assert.deepEqual(
      filesOf(network, ['192.0.2.53']).conf.filter(line => line.startsWith('server=')),
      ['server=192.0.2.1'],
    )
  })

  test('tells guests of the name servers of their subnet; of itself when there are none', () => {
    const network = plainNetwork(1)
    const [subnet] = network.subnets
    const told = (servers: string[]) => {
      subnet!.dns_nameservers = servers
      return filesOf(network).options.filter(line => line.includes('dns-server'))
    }
    const option = `tag:subnet-${subnet!.id},option:dns-server`
    assert.deepEqual(told([]), [`${option},10.1.0.2`])
    assert.deepEqual(told(['192.0.2.1', '192.0.2.2']), [`${option},192.0.2.1,192.0.2.2`])
    assert.deepEqual(told(['0.0.0.0']), [option], 'of nobody')
  })

  test('without a gateway hands out no router, but still the way to metadata', () => {
    const network = plainNetwork(1)
    network.subnets[0]!.gateway_ip = null
    const tag = `tag:subnet-${network.subnets[0]!.id}`
    const { options } = filesOf(network)
    assert.ok(options.includes(`${tag},option:router`))
    assert.ok(options.includes(`${tag},option:classless-static-route,169.254.169.254/32,10.1.0.2`))
  })

  test('gives SLAAC addresses names but no leases', () => {
    const network = plainNetwork(1)
    network.subnets = [v6({ ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' })]
    const ips = [{ subnet_id: 'v6', ip_address: 'fd01::11' }]
    network.leases = [{ port_id: 'p', mac: 'fa:16:3e:00:00:01', ips, hostname: 'web', dhcp_options: [] }]
    const { conf, hosts, names } = filesOf(network)
    assert.deepEqual([conf.filter(line => line.startsWith('dhcp-range')), hosts], [[], []])
    assert.deepEqual(names, ['fd01::11 web.cloud.example web'])
  })

  test('keeps tags out of the hosts file; a port with options is in the configuration', () => {
    const network = plainNetwork(1)
    const port = plainPort(network, 11)
    network.leases[0]!.dhcp_options = [{ name: 'bootfile-name', value: 'pxe.0', ip_version: 4 }]
    const { conf, hosts, options } = filesOf(network)
    assert.deepEqual(hosts, [])
    assert.ok(conf.includes(`dhcp-host=${port.mac},set:port-${port.id},10.1.0.11,guest-11,86400`))
    assert.ok(options.includes(`tag:port-${port.id},option:bootfile-name,pxe.0`))
  })
})

describe('words from tenants', () => {
  test('a host name that is no name becomes one made of the address', () => {
    const network = plainNetwork(1)
    plainPort(network, 11)
    network.leases[0]!.hostname = 'x\ndhcp-script=/bin/sh'
    assert.deepEqual(filesOf(network).names, ['10.1.0.11 host-10-1-0-11.cloud.example host-10-1-0-11'])
  })

  test('a domain that is none is left out', () => {
    const network = { ...plainNetwork(1), dns_domain: 'a.example\nserver=6.6.6.6' }
    assert.equal(
      filesOf(network).conf.some(line => /domain=|6\.6\.6\.6/.test(line)),
      false,
    )
  })

  test('no text of any kind adds a line or leaves its field', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (name, value) => {
        const option = optionText({ name, value, ip_version: 4 })
        assert.ok(option === undefined || /^(option:)?[a-z0-9-]+,[\x20-\x7e]*$/.test(option))
        assert.ok(/^[a-z0-9-]+$/.test(safeLabel(name) ?? 'none'))
        assert.ok(/^[a-z0-9.-]+$/.test(safeDomain(name) ?? 'none'))
      }),
    )
  })
})

describe('router advertisements', () => {
  const advertised = (mode: SubnetSpec['ipv6_ra_mode']) => {
    const network = plainNetwork(1)
    network.subnets.push(v6({ ipv6_ra_mode: mode, ipv6_address_mode: mode }))
    network.dhcp_port!.ips.push({ subnet_id: 'v6', ip_address: 'fd01::2' })
    const router: RouterSpec = {
      id: 'r',
      admin_state_up: true,
      interfaces: [{ port_id: 'p', network_id: network.id, mac: 'fa:16:3e:00:00:01', addresses: ['fd01::1/64'] }],
      floating_ips: [],
      routes: [],
    }
    return routerDaemon(router, new Map([[network.id, network]]), 'ns')?.conf
  }

  test('say how addresses are made, and who answers for names', () => {
    assert.match(advertised('slaac')!, /^dhcp-range=set:subnet-v6,fd01::,ra-only,64,86400$/m)
    assert.match(advertised('dhcpv6-stateless')!, /^dhcp-range=set:subnet-v6,fd01::,ra-stateless,64,86400$/m)
    assert.match(advertised('dhcpv6-stateful')!, /^dhcp-range=set:subnet-v6,fd01::,static,64,86400$/m)
    assert.match(advertised('slaac')!, /^dhcp-option=tag:subnet-v6,option6:dns-server,\[fd01::2\]$/m)
  })

  test('are not sent where another router sends them', () => {
    assert.equal(advertised(null), undefined)
  })
})
