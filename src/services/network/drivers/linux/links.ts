/** Network devices as data: what the kernel has, what is wanted, and the `ip -batch` lines between the two. */
import { normalIp } from './addresses.ts'
import { runIn } from './exec.ts'

export interface Link {
  kind: 'bridge' | 'tap' | 'veth'
  /** Port, network or router that it is for; problems are told with it. */
  owner: string
  mtu: number
  mac?: string
  master?: string
  up: boolean
  /** Addresses with prefix length, normalized. */
  addresses: ReadonlySet<string>
  /** The other end of a pair, on the side that makes it. The far end is itself a link of its namespace, without a peer. */
  peer?: { netns: string; name: string }
}

export interface KernelLink {
  kind: string
  mtu: number
  mac: string
  master: string | undefined
  up: boolean
  addresses: Set<string>
}

export interface BatchLine {
  owner: string
  text: string
}

interface IpLinkJson {
  ifname: string
  mtu: number
  address?: string
  master?: string
  flags: string[]
  linkinfo?: { info_kind?: string }
  addr_info?: { family: string; local: string; prefixlen: number; scope: string }[]
}

/** The devices of a namespace, loopback left out; undefined when it cannot be read. */
export async function readLinks(netns: string | null): Promise<Map<string, KernelLink> | undefined> {
  const args = [...(netns === null ? [] : ['-n', netns]), '-j', '-d', 'addr', 'show']
  const outcome = await runIn(null, 'ip', args)
  if (outcome.code !== 0) return undefined
  return parseLinks(outcome.stdout)
}

export function parseLinks(json: string): Map<string, KernelLink> {
  const links = new Map<string, KernelLink>()
  const listed = JSON.parse(json || '[]') as Partial<IpLinkJson>[]
  for (const { ifname, mtu, address, master, flags = [], linkinfo, addr_info = [] } of listed) {
    if (ifname === undefined || ifname === 'lo') continue
    // The kernel sets link-local addresses of IPv6 by itself.
    const kept = addr_info.filter(info => info.scope !== 'link' || info.family === 'inet')
    links.set(ifname, {
      kind: linkinfo?.info_kind === 'tun' ? 'tap' : (linkinfo?.info_kind ?? 'other'),
      mtu: mtu ?? 0,
      mac: address ?? '',
      master,
      up: flags.includes('UP'),
      addresses: new Set(kept.map(info => `${normalIp(info.local)}/${info.prefixlen}`)),
    })
  }
  return links
}

/** What the kernel has once the lines for `wanted` were carried out. */
export function asKernel(wanted: ReadonlyMap<string, Link>): Map<string, KernelLink> {
  return new Map(
    [...wanted].map(([name, { kind, mtu, mac = '', master, up, addresses }]) => [
      name,
      { kind, mtu, mac, master, up, addresses: new Set(addresses) },
    ]),
  )
}

export interface LinkChange {
  lines: BatchLine[]
  /** Addresses that are new, for announcing them, and those that went. */
  added: { device: string; address: string }[]
  removed: { device: string; address: string }[]
}

/**
 * Lines for one namespace. A far end comes and goes with its near end, so it is only adjusted here. `mine` says which devices that are
 * not wanted may be removed. `tapOwner` is the uid that may open taps without privileges.
 */
export function linkChange(
  have: ReadonlyMap<string, KernelLink>,
  wanted: ReadonlyMap<string, Link>,
  mine: (name: string, link: KernelLink) => boolean,
  tapOwner?: number,
): LinkChange {
  const change: LinkChange = { lines: [], added: [], removed: [] }
  for (const [name, link] of have) {
    const now = wanted.get(name)
    if (now ? isSameKind(now.kind, link.kind) : !mine(name, link)) continue
    change.lines.push({ owner: now?.owner ?? name, text: `link del dev ${name}` })
  }
  // Bridges first: the others are put into them.
  const order = { bridge: 0, tap: 1, veth: 2 }
  for (const [name, link] of [...wanted].sort(([, a], [, b]) => order[a.kind] - order[b.kind])) {
    const known = have.get(name)
    adjust(change, name, link, known && isSameKind(link.kind, known.kind) ? known : undefined, tapOwner)
  }
  return change
}

/** A guest that is no virtual machine may bring a pair's end under its port's name: it is taken as it is. */
function isSameKind(wanted: Link['kind'], found: string): boolean {
  return wanted === found || (wanted === 'tap' && found === 'veth')
}

function adjust(change: LinkChange, name: string, link: Link, old: KernelLink | undefined, tapOwner?: number): void {
  const say = (text: string) => change.lines.push({ owner: link.owner, text })
  if (!old) {
    if (link.kind === 'bridge') {
      say(
        `link add ${name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0 nf_call_iptables 1 nf_call_ip6tables 1`,
      )
    } else if (link.kind === 'tap') {
      say(`tuntap add dev ${name} mode tap${tapOwner === undefined ? '' : ` user ${tapOwner}`}`)
    } else if (link.peer) {
      say(`link add ${name} type veth peer name ${link.peer.name} netns ${link.peer.netns}`)
    }
  }
  const settings: string[] = []
  if (link.mac && link.mac !== old?.mac) settings.push(`address ${link.mac}`)
  if (link.mtu !== old?.mtu) settings.push(`mtu ${link.mtu}`)
  if (link.master !== old?.master) settings.push(link.master ? `master ${link.master}` : 'nomaster')
  if (link.kind !== 'bridge' && settings.length > 0) say(`link set dev ${name} ${settings.join(' ')}`)
  if (link.kind === 'bridge' && link.mtu !== old?.mtu) say(`link set dev ${name} mtu ${link.mtu}`)
  if (link.up !== (old?.up ?? false)) say(`link set dev ${name} ${link.up ? 'up' : 'down'}`)
  for (const address of link.addresses) {
    if (old?.addresses.has(address)) continue
    // Duplicate detection would leave an IPv6 address unusable for a second; the control plane gave it out once.
    say(`addr add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`)
    change.added.push({ device: name, address })
  }
  for (const address of old?.addresses ?? []) {
    if (link.addresses.has(address)) continue
    say(`addr del ${address} dev ${name}`)
    change.removed.push({ device: name, address })
  }
}

/** Which lines of a forced batch failed, and why. */
export function batchFailures(lines: readonly BatchLine[], stderr: string): { owner: string; message: string }[] {
  const failures: { owner: string; message: string }[] = []
  let why: string[] = []
  for (const text of stderr.split('\n')) {
    const failed = /^Command failed -:(\d+)/.exec(text)
    if (!failed) {
      if (text.trim()) why.push(text.trim())
      continue
    }
    const line = lines[Number(failed[1]) - 1]
    failures.push({ owner: line?.owner ?? '', message: `ip ${line?.text}: ${why.join(' ') || 'failed'}` })
    why = []
  }
  return failures
}
