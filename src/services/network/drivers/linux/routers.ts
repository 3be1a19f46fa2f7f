/** A router's namespace as text: address translation, floating IPs, hairpin, segment sizes, and its routes. */
import type { RouterSpec } from '../driver.ts'
import { normalIp, parseCidr } from './addresses.ts'
import { gatewayInner } from './names.ts'
import type { Route } from './namespaces.ts'
import type { NftChain, NftSet, Ruleset } from './nft.ts'

export function routerRuleset(router: RouterSpec): Ruleset {
  const pairs = router.floating_ips.map(ip => [normalIp(ip.floating_ip), normalIp(ip.fixed_ip)] as const)
  const { gateway } = router
  const source = gateway?.addresses.map(text => parseCidr(text)!).find(cidr => cidr.version === 4)?.address
  const outside = gateway ? gatewayInner(gateway.port_id) : undefined
  const translate = (condition: string) => [
    `${condition} snat ip to ip saddr map @to-floating`,
    ...(gateway?.enable_snat && source ? [`${condition} meta nfproto ipv4 snat ip to ${source}`] : []),
  ]
  const postrouting = outside
    ? [
        // Traffic that only passes between the router's own networks keeps its addresses.
        ...translate(`oifname "${outside}"`),
        // Hairpin: a guest that reaches its neighbour by floating IP must get the answer through the router.
        ...translate(`iifname != "${outside}" oifname != "${outside}" ct status dnat`),
      ]
    : []
  return {
    family: 'inet',
    table: 'router',
    sets: new Map<string, NftSet>([
      ['to-fixed', mapOf(pairs.map(([floating, fixed]) => `${floating} : ${fixed}`))],
      ['to-floating', mapOf(pairs.map(([floating, fixed]) => `${fixed} : ${floating}`))],
    ]),
    chains: new Map<string, NftChain>([
      [
        'prerouting',
        {
          hook: 'type nat hook prerouting priority dstnat; policy accept;',
          rules: ['dnat ip to ip daddr map @to-fixed'],
        },
      ],
      ['postrouting', { hook: 'type nat hook postrouting priority srcnat; policy accept;', rules: postrouting }],
      [
        'forward',
        {
          hook: 'type filter hook forward priority mangle; policy accept;',
          rules: ['tcp flags syn tcp option maxseg size set rt mtu'],
        },
      ],
      [
        'input',
        {
          hook: 'type filter hook input priority filter; policy accept;',
          // The daemon that advertises prefixes here would answer DHCPv6 as well, which is the network's own daemon's part.
          rules: ['udp dport 547 drop'],
        },
      ],
    ]),
  }
}

function mapOf(elements: string[]): NftSet {
  return { kind: 'map', spec: 'type ipv4_addr : ipv4_addr;', elements: new Set(elements) }
}

export function routerRoutes(router: RouterSpec): Route[] {
  const routes: Route[] = router.routes.map(({ destination, nexthop }) => {
    const range = parseCidr(destination)!
    const text = range.prefix === 0 ? 'default' : `${range.network}/${range.prefix}`
    return { owner: router.id, destination: text, via: normalIp(nexthop) }
  })
  const { gateway } = router
  if (!gateway) return routes
  for (const version of [4, 6] as const) {
    const via = gateway.gateway_ips.map(normalIp).find(ip => ip.includes(':') === (version === 6))
    const overridden = routes.some(r => r.destination === 'default' && r.via.includes(':') === (version === 6))
    if (via === undefined || overridden) continue
    routes.push({ owner: router.id, destination: 'default', via, device: gatewayInner(gateway.port_id) })
  }
  return routes
}
