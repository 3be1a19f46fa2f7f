/** Network namespaces: made, read, set up and removed by name. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { inPool, type Outcome, reason, run, runIn } from './exec.ts'
import type { Link } from './links.ts'
import type { Ruleset } from './nft.ts'

export interface Route {
  owner: string
  /** `default` or a range. */
  destination: string
  via: string
  /** Present where the next hop need not be in one of the device's ranges. */
  device?: string
}

/** Kernel settings of a namespace: paths below /proc/sys/net by the value they get. */
export type Settings = Readonly<Record<string, readonly string[]>>

export interface NamespacePlan {
  owner: string
  links: Map<string, Link>
  routes: Route[]
  rulesets: Ruleset[]
  settings: Settings
}

const directory = '/run/netns'

/** Names of the namespaces that `mine` accepts. */
export async function listNamespaces(mine: (name: string) => boolean): Promise<string[]> {
  try {
    return (await readdir(directory)).filter(mine)
  } catch {
    return []
  }
}

/** The kernel's number of a namespace, as `/proc/PID/ns/net` shows it; undefined when there is none of that name. */
export async function namespaceInode(name: string): Promise<number | undefined> {
  try {
    return (await stat(`${directory}/${name}`)).ino
  } catch {
    return undefined
  }
}

/** Makes namespaces with their loopback up; returns those that could not be made. */
export async function makeNamespaces(names: readonly string[]): Promise<Map<string, string>> {
  const failed = new Map<string, string>()
  if (names.length === 0) return failed
  await run('ip', ['-force', '-batch', '-'], { input: names.map(name => `netns add ${name}\n`).join('') })
  await inPool(names, 4, async name => {
    const up = await run('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
    if (up.code !== 0) failed.set(name, reason(up))
  })
  return failed
}

/** Removes namespaces and what is in them. Devices go first: a process inside would keep the namespace, and them, alive. */
export async function removeNamespaces(
  names: readonly string[],
  linksOf: (name: string) => Iterable<string>,
): Promise<void> {
  await inPool(names, 4, async name => {
    const input = [...linksOf(name)].map(link => `link del dev ${link}\n`).join('')
    if (input) await run('ip', ['-n', name, '-force', '-batch', '-'], { input })
  })
  await inPool(names, 4, async name => {
    await run('ip', ['netns', 'del', name])
  })
}

/** Writes kernel settings; a path that this kernel does not have is left out. */
export async function applySettings(netns: string, settings: Settings): Promise<string | undefined> {
  let problem: string | undefined
  for (const [value, paths] of Object.entries(settings)) {
    const files = paths.map(path => `/proc/sys/net/${path}`)
    const outcome: Outcome = await runIn(netns, 'tee', files, { input: `${value}\n` })
    const real = outcome.stderr.split('\n').filter(line => line && !line.includes('No such file'))
    if (real.length > 0) problem = `settings of ${netns}: ${real.join(' ')}`
  }
  return problem
}

interface RouteJson {
  dst: string
  gateway?: string
  dev?: string
}

const routeKey = (route: Pick<Route, 'destination' | 'via'>) => `${route.destination} ${route.via}`
const family = (route: Pick<Route, 'via'>) => (route.via.includes(':') ? '-6' : '-4')

/** Routes of ours (protocol static) that a namespace has. */
export async function readRoutes(netns: string): Promise<Route[]> {
  const routes: Route[] = []
  for (const version of ['-4', '-6']) {
    const outcome = await run('ip', ['-n', netns, version, '-j', 'route', 'show', 'protocol', 'static'])
    if (outcome.code !== 0) continue
    for (const { dst, gateway, dev } of JSON.parse(outcome.stdout || '[]') as RouteJson[]) {
      if (gateway) routes.push({ owner: '', destination: dst, via: gateway, ...(dev ? { device: dev } : {}) })
    }
  }
  return routes
}

/** Lines that make the routes so. All wanted ones are written again: a changed address may have taken some along. */
export function routeLines(have: readonly Route[], wanted: readonly Route[]): { owner: string; text: string }[] {
  const keys = new Set(wanted.map(routeKey))
  const stale = have.filter(route => !keys.has(routeKey(route)))
  return [
    ...wanted.map(route => ({ owner: route.owner, text: `${words('replace', route)} proto static` })),
    // A default route that was replaced is gone already.
    ...stale
      .filter(route => !wanted.some(now => now.destination === route.destination && family(now) === family(route)))
      .map(route => ({ owner: route.owner, text: words('del', route) })),
  ]
}

function words(verb: string, { destination, via, device }: Route): string {
  const to = destination === 'default' ? (via.includes(':') ? '::/0' : '0.0.0.0/0') : destination
  return `route ${verb} ${to} via ${via}${device ? ` dev ${device} onlink` : ''}`
}

/** Ends dnsmasq processes that still run in a namespace of ours, whatever became of their pidfiles. */
export async function endDaemonsIn(netns: string): Promise<void> {
  const outcome = await run('ip', ['netns', 'pids', netns])
  for (const word of outcome.stdout.split(/\s+/)) {
    const pid = Number(word)
    if (!Number.isInteger(pid) || pid <= 1) continue
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
    if (name.trim() === 'dnsmasq') process.kill(pid, 'SIGKILL')
  }
}
