/** What this machine's kernel and tools can do for the data plane, and what to do about what they cannot. */
import { access, readFile, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { messageOf } from '#kernel/errors.ts'
import type { Problem } from './check.ts'
import { readableByOthers } from './dnsmasq.ts'
import { reason, run } from './exec.ts'
import type { PhysicalNetwork } from './plan.ts'
import type { Tracking } from './security-groups.ts'

export interface Features {
  tracking: Tracking
  problems: string[]
}

/** Tool, an argument that makes it answer harmlessly, and the Debian package it is in. */
const tools: [string, string, string][] = [
  ['ip', '-V', 'iproute2'],
  ['nft', '--version', 'nftables'],
  ['dnsmasq', '--version', 'dnsmasq-base'],
  ['conntrack', '--version', 'conntrack'],
  ['arping', '-V', 'iputils-arping'],
  ['unshare', '--version', 'util-linux'],
]

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

export async function probe({ dir }: { dir: string }): Promise<Features> {
  const problems: string[] = []
  for (const [tool, argument, debian] of tools) {
    const outcome = await run(tool, [argument])
    if (outcome.code === 127) problems.push(`${tool} is missing; install it with: apt-get install ${debian}`)
  }
  if (process.getuid?.() !== 0) problems.push('the Linux data plane needs root; start as root, or use --network fake')
  if (!(await exists('/dev/net/tun'))) problems.push('/dev/net/tun is missing; load it with: modprobe tun')
  if (!(await readableByOthers(dir))) {
    problems.push(`dnsmasq runs as root, because ${dir} is closed to other users; choose a directory below /run`)
  }
  if (problems.length > 0 && process.getuid?.() !== 0) return { tracking: 'br_netfilter', problems }
  await run('modprobe', ['br_netfilter'])
  const viaBridge = await exists('/proc/sys/net/bridge/bridge-nf-call-iptables')
  const kernel = await probeKernel(viaBridge ? 'br_netfilter' : 'bridge')
  return { tracking: viaBridge ? 'br_netfilter' : 'bridge', problems: [...problems, ...kernel] }
}

/** Tries each kernel feature once, each in a nameless namespace that is gone with the command. */
async function probeKernel(tracking: Tracking): Promise<string[]> {
  const apart = (command: string, args: string[], input = '') => run('unshare', ['-n', command, ...args], { input })
  const made = await apart('ip', ['link'])
  if (made.code !== 0) {
    return [`network namespaces do not work here: ${reason(made)}; CONFIG_NET_NS and CAP_SYS_ADMIN are needed`]
  }
  const problems: string[] = []
  const devices: [string, string[]][] = [
    ['bridge', ['link', 'add', 'probe0', 'type', 'bridge']],
    ['veth', ['link', 'add', 'probe1', 'type', 'veth', 'peer', 'name', 'probe2']],
    ['tun', ['tuntap', 'add', 'dev', 'probe3', 'mode', 'tap']],
  ]
  for (const [module, args] of devices) {
    const outcome = await apart('ip', args)
    if (outcome.code === 0) continue
    problems.push(`kernel module ${module} is missing (${reason(outcome)}); load it with: modprobe ${module}`)
  }
  for (const [what, remedy, input] of rulesToTry(tracking)) {
    const outcome = await apart('nft', ['-f', '-'], input)
    if (outcome.code !== 0) problems.push(`nftables cannot ${what} (${reason(outcome)}); ${remedy}`)
  }
  return problems
}

function rulesToTry(tracking: Tracking): [string, string, string][] {
  const family = tracking === 'br_netfilter' ? 'inet' : 'bridge'
  const hook = 'type filter hook prerouting priority -150;'
  return [
    [
      'track connections of bridged packets',
      'load one of: modprobe br_netfilter, modprobe nf_conntrack_bridge',
      `table ${family} probe { chain c { ${hook} ct state established counter; }; }\n`,
    ],
    [
      'filter in the bridge family',
      'load it with: modprobe nf_tables',
      'table bridge probe2 { chain c { type filter hook forward priority 0; udp dport 67 drop; }; }\n',
    ],
    [
      'translate addresses',
      'load it with: modprobe nft_nat nft_masq',
      'table inet probe3 { chain c { type nat hook postrouting priority 100; masquerade; }; }\n',
    ],
  ]
}

/** Name servers of the host that can be reached from other namespaces: none on loopback. */
export async function hostResolvers(): Promise<string[]> {
  for (const path of ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf']) {
    const text = await readFile(path, 'utf8').catch(() => '')
    const servers = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(match => match[1]!)
    const usable = servers.filter(ip => isIP(ip) && !ip.startsWith('127.') && ip !== '::1')
    if (usable.length > 0) return usable
  }
  return []
}

/** Lets the host pass packets on, where a physical network asks for address translation. */
export async function forwardOnHost(networks: Readonly<Record<string, PhysicalNetwork>>): Promise<Problem[]> {
  const translated = Object.values(networks).filter(network => network.nat)
  const problems: Problem[] = []
  try {
    if (translated.length > 0) await raise('/proc/sys/net/ipv4/ip_forward')
    if (translated.some(network => network.ipv6)) await forwardIpv6()
  } catch (error) {
    problems.push({
      id: '',
      message: `the host does not forward packets: ${messageOf(error)}; set net.ipv4.ip_forward=1`,
    })
  }
  return problems
}

async function raise(path: string): Promise<void> {
  if ((await readFile(path, 'utf8')).trim() === '0') await writeFile(path, '1')
}

/** A host that forwards stops heeding router advertisements, and would lose its own default route; 2 keeps it listening. */
async function forwardIpv6(): Promise<void> {
  const root = '/proc/sys/net/ipv6/conf'
  const route = await run('ip', ['-6', '-j', 'route', 'show', 'default'])
  const devices = (JSON.parse(route.stdout || '[]') as { dev?: string }[]).flatMap(({ dev }) => dev ?? [])
  for (const device of devices) {
    const path = `${root}/${device}/accept_ra`
    if ((await readFile(path, 'utf8').catch(() => '')).trim() === '1') await writeFile(path, '2')
  }
  await raise(`${root}/all/forwarding`)
}
