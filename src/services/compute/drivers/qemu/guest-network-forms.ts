/** How guests are told what a NIC is to have: by `ip` in a Unix, by `netsh` in a Windows. For the time until they boot again, as what DHCP says is. */
import type { NicSettings } from '../driver.ts'

/** A NIC as the guest has it now. */
export interface SeenNic {
  name: string
  /** Those of IPv6 that are no link's own. */
  addresses6: string[]
}

interface NetworkCommand {
  args: string[]
  /** It takes away what need not be there. */
  mayFail?: true
}

export interface NetworkForm {
  program: string
  /** What the guest may call a NIC: the name becomes an argument. */
  names: RegExp
  /** In turn. Routes go with the addresses that they need. */
  commands(seen: SeenNic, settings: NicSettings): NetworkCommand[]
}

const is6 = (address: string) => address.includes(':')

export const unixNetwork: NetworkForm = {
  program: 'ip',
  names: /^[a-z0-9][\w.-]{0,14}$/i,
  commands({ name }, { mtu, addresses, routes }) {
    const family = (address: string) => (is6(address) ? '-6' : '-4')
    const commands = [
      ['link', 'set', 'dev', name, 'mtu', String(mtu), 'up'],
      ['addr', 'flush', 'dev', name, 'scope', 'global'],
      // A router may have told the guest the same address meanwhile.
      ...addresses.map(({ address, prefix }) => [
        ...[family(address), 'addr', 'replace', `${address}/${prefix}`, 'dev', name],
      ]),
      ...routes.map(({ to, via }) => [family(via), 'route', 'replace', to, 'via', via, 'dev', name]),
    ]
    return commands.map(args => ({ args }))
  },
}

export const windowsNetwork: NetworkForm = {
  program: 'netsh',
  names: /^[\p{L}\p{N}][\p{L}\p{N} ._()#*-]{0,127}$/u,
  commands({ name, addresses6 }, { mtu, addresses, routes }) {
    const nic = `interface=${name}`
    const active = 'store=active'
    const netsh = (family: string, ...args: string[]): NetworkCommand => ({ args: ['interface', family, ...args] })
    const family = (address: string) => (is6(address) ? 'ipv6' : 'ipv4')
    const [four, six] = [addresses.filter(each => !is6(each.address)), addresses.filter(each => is6(each.address))]
    return [
      netsh('ipv4', 'set', 'subinterface', nic, `mtu=${mtu}`, active),
      // The first takes the place of all that are there.
      ...four.map(({ address, prefix }, index) =>
        index === 0
          ? netsh('ipv4', 'set', 'address', `name=${name}`, 'source=static', `address=${address}/${prefix}`, active)
          : netsh('ipv4', 'add', 'address', `name=${name}`, `address=${address}/${prefix}`, active),
      ),
      // Those that it is to have as well: a router may have told it the same meanwhile.
      ...[...new Set([...addresses6, ...six.map(({ address }) => address)])].map(address => ({
        ...netsh('ipv6', 'delete', 'address', nic, `address=${address}`, active),
        mayFail: true as const,
      })),
      ...six.map(({ address, prefix }) => netsh('ipv6', 'add', 'address', nic, `address=${address}/${prefix}`, active)),
      ...routes.flatMap(({ to, via }) => {
        const all = is6(via) ? '::/0' : '0.0.0.0/0'
        const route = [`prefix=${to === 'default' ? all : to}`, nic, `nexthop=${via}`, active]
        const gone = netsh(family(via), 'delete', 'route', ...route)
        return [{ ...gone, mayFail: true as const }, netsh(family(via), 'add', 'route', ...route)]
      }),
    ]
  },
}
