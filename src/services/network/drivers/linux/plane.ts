/** The Linux data plane: bridges and taps in a namespace of its own, a namespace a network for DHCP, DNS and metadata, and one a router. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#kernel/clock.ts'
import type { Log } from '#kernel/log.ts'
import type { ConvergeReport, DataPlane, HostNetworkState, PlaneFacts } from '../driver.ts'
import { announce, applyLinks, applyRulesets, type KernelState, readKernel } from './apply.ts'
import { checkedState, type Problem } from './check.ts'
import { cutFlows, mistranslated, readFlows, revoked } from './conntrack.ts'
import { dnsmasqKeeper } from './dnsmasq.ts'
import { inPool, run } from './exec.ts'
import { readLinks } from './links.ts'
import { metadataListeners } from './metadata.ts'
import { planeNames, tapName } from './names.ts'
import { applySettings, endDaemonsIn, listNamespaces, makeNamespaces, removeNamespaces } from './namespaces.ts'
import { removeText } from './nft.ts'
import { type PhysicalNetwork, type Plan, planHost } from './plan.ts'
import { forwardOnHost, hostResolvers, probe } from './probe.ts'

export interface LinuxPlaneConfig {
  /** Begins the names of all that is made: one to eight lower-case letters and digits. Two planes on a machine need two. */
  prefix: string
  /** Files of dnsmasq. Best below /run: it must be readable without privileges, and need not survive a reboot. */
  dir: string
  log: Log
  clock: Clock
  physical_networks: Readonly<Record<string, PhysicalNetwork>>
  /** The Node that runs the short-lived child which opens the metadata port. */
  nodePath: string
  /** The uid that may open taps without privileges; root alone otherwise. */
  tap_owner?: number
}

export function linuxPlane(config: LinuxPlaneConfig): DataPlane {
  const { dir, log, clock } = config
  const names = planeNames(config.prefix)
  const daemons = dnsmasqKeeper({ dir, log, clock })
  const metadata = metadataListeners({ nodePath: config.nodePath, log })
  let kernel: KernelState | undefined
  let features: ReturnType<typeof probe> | undefined
  let last = -1
  /** Something was not as we knew it: look again before the next change. */
  let suspect = false
  /** Takes seconds, so nobody waits for it but a purge. */
  let announcing: Promise<void> | undefined

  async function plan(desired: HostNetworkState): Promise<{ state: HostNetworkState; plan: Plan }> {
    const { state, problems } = checkedState(desired)
    features ??= probe(config)
    const { tracking } = await features
    const resolvers = await hostResolvers()
    const made = planHost(state, { names, physical_networks: config.physical_networks, tracking, resolvers })
    made.problems.push(...problems)
    return { state, plan: made }
  }

  /** Makes what namespaces are missing; returns those that are new. */
  async function namespaces(known: KernelState, wanted: Plan): Promise<Set<string>> {
    const fresh = new Set([...wanted.namespaces.keys()].filter(name => !known.namespaces.has(name)))
    const failed = await makeNamespaces([...fresh])
    for (const [name, message] of failed) {
      wanted.problems.push({ id: wanted.namespaces.get(name)!.owner, message: `namespace ${name}: ${message}` })
    }
    for (const name of fresh) known.namespaces.add(name)
    return fresh
  }

  async function settings(wanted: Plan, of: Iterable<string>): Promise<void> {
    await inPool(of, 4, async name => {
      const { owner, settings: values } = wanted.namespaces.get(name)!
      const message = await applySettings(name, values)
      if (message) wanted.problems.push({ id: owner, message })
    })
  }

  async function cut(state: HostNetworkState, shrunk: ReadonlySet<string>): Promise<void> {
    if (shrunk.has(names.dataplane)) {
      await cutFlows(names.dataplane, revoked(state, await readFlows(names.dataplane)), dir)
    }
    const routers = state.routers.filter(router => router.admin_state_up && shrunk.has(names.router(router.id)))
    await inPool(routers, 4, async router => {
      const netns = names.router(router.id)
      await cutFlows(netns, mistranslated(router, await readFlows(netns)), dir)
    })
  }

  async function removeStale(known: KernelState, wanted: Plan): Promise<void> {
    const stale = [...known.namespaces].filter(name => !wanted.namespaces.has(name))
    for (const name of stale) await endDaemonsIn(name)
    await removeNamespaces(stale, name => known.links.get(name)?.keys() ?? [])
    for (const name of stale) {
      known.namespaces.delete(name)
      for (const part of [known.links, known.routes, known.rulesets]) part.delete(name)
    }
  }

  /** One look and one go at the difference. */
  async function attempt(desired: HostNetworkState): Promise<ConvergeReport> {
    const { state, plan: wanted } = await plan(desired)
    const first = kernel === undefined
    // The same revision again is an audit: somebody wants to know that the kernel still is as it should be.
    if (!kernel || suspect || desired.revision === last) kernel = await readKernel(names, kernel?.rulesets ?? new Map())
    const known = kernel
    const fresh = await namespaces(known, wanted)
    await settings(wanted, first ? wanted.namespaces.keys() : fresh)
    if (wanted.host.links.size > 0) wanted.problems.push(...(await forwardOnHost(config.physical_networks)))
    const rules = await applyRulesets(known, wanted)
    const links = await applyLinks(known, wanted, names, config.tap_owner)
    const daemonProblems = await daemons.converge(wanted.daemons)
    const metadataProblems = await metadata.converge(wanted.metadata, fresh)
    await removeStale(known, wanted)
    await cut(state, rules.shrunk)
    announcing = announce(links.added.filter(({ netns }) => netns.startsWith(names.router(''))))
    suspect = links.suspect
    last = desired.revision
    const problems = [wanted.problems, rules.problems, links.problems, daemonProblems, metadataProblems].flat()
    return report(state, problems, !rules.problems.some(problem => problem.id === ''))
  }

  async function converge(desired: HostNetworkState): Promise<ConvergeReport> {
    let result = await attempt(desired)
    // A namespace that is being removed loses its devices bit by bit, long after its name; what was seen may be gone already.
    for (let again = 0; again < 2 && suspect; again++) {
      await clock.sleep(200)
      result = await attempt(desired)
    }
    if (result.problems.length > 0)
      log.warn({ problems: result.problems.slice(0, 20) }, 'not everything could be carried')
    return result
  }

  function report(state: HostNetworkState, problems: Problem[], filtered: boolean): ConvergeReport {
    const broken = new Set(problems.map(problem => problem.id))
    const wired = state.ports.filter(port => filtered && !broken.has(port.id))
    return {
      revision: state.revision,
      wired: wired.map(port => ({ port_id: port.id, tap: { name: tapName(port.id), netns: names.dataplane } })),
      problems,
    }
  }

  async function purge(): Promise<void> {
    kernel = undefined
    last = -1
    await announcing
    await metadata.close()
    await daemons.stopAll()
    await rm(join(dir, 'conntrack'), { recursive: true, force: true })
    const mine = await listNamespaces(names.isNamespace)
    const links = new Map<string, string[]>()
    for (const name of mine) {
      await endDaemonsIn(name)
      links.set(name, [...((await readLinks(name)) ?? new Map()).keys()])
    }
    await removeNamespaces(mine, name => links.get(name) ?? [])
    for (const [name, link] of (await readLinks(null)) ?? []) {
      if (link.kind === 'veth' && names.isHostDevice(name)) await run('ip', ['link', 'del', 'dev', name])
    }
    await run('nft', ['-f', '-'], { input: removeText({ family: 'inet', table: names.hostTable }) })
  }

  return {
    name: 'linux',
    async facts(): Promise<PlaneFacts> {
      features = probe(config)
      const { problems } = await features
      return { name: 'linux', extensions, problems }
    },
    async converge(desired) {
      await mkdir(dir, { recursive: true })
      return converge(desired)
    },
    onMetadata(handler) {
      metadata.handler = handler
    },
    purge,
    async [Symbol.asyncDispose]() {
      await daemons.dispose()
      await metadata.close()
    },
  }
}

const extensions = [
  'allowed-address-pairs',
  'dns-integration',
  'ext-gw-mode',
  'external-net',
  'extra_dhcp_opt',
  'extraroute',
  'net-mtu',
  'port-security',
  'router',
  'security-group',
  'stateful-security-group',
]
