/** Carries a plan out: what the kernel has is compared with what is wanted, and only the difference is written, in batches. */
import type { Problem } from './check.ts'
import { inPool, reason, run, runIn } from './exec.ts'
import { asKernel, type BatchLine, batchFailures, type KernelLink, linkChange, readLinks } from './links.ts'
import type { PlaneNames } from './names.ts'
import { listNamespaces, type NamespacePlan, type Route, readRoutes, routeLines } from './namespaces.ts'
import { changeText, type Ruleset, removeText, replaceText } from './nft.ts'
import type { Plan } from './plan.ts'

/** The key of the namespace that this process runs in. */
export const hostKey = ''
const netnsOf = (key: string) => (key === hostKey ? null : key)

/** What is in the kernel, as far as it is ours. By namespace. */
export interface KernelState {
  namespaces: Set<string>
  links: Map<string, Map<string, KernelLink>>
  routes: Map<string, Route[]>
  /** By table. Only what this process wrote: what is from before is replaced whole, in one transaction. */
  rulesets: Map<string, Map<string, Ruleset>>
}

export async function readKernel(names: PlaneNames, rulesets: KernelState['rulesets']): Promise<KernelState> {
  const namespaces = new Set(await listNamespaces(names.isNamespace))
  const kernel: KernelState = { namespaces, links: new Map(), routes: new Map(), rulesets }
  await inPool([hostKey, ...namespaces], 4, async key => {
    const links = await readLinks(netnsOf(key))
    // A name without a namespace behind it is what an interrupted removal leaves.
    if (!links) {
      namespaces.delete(key)
      await run('ip', ['netns', 'del', key])
      return
    }
    kernel.links.set(key, links)
    if (key !== hostKey && key !== names.dataplane) kernel.routes.set(key, await readRoutes(key))
  })
  // What somebody took (`nft flush ruleset`, a namespace made again under its name) is written whole.
  await inPool([...rulesets], 4, async ([key, known]) => {
    const kept = key === hostKey || namespaces.has(key) ? await tablesIn(key) : new Set()
    const wanted = [...known.values()].filter(ruleset => ruleset.chains.size > 0)
    if (!wanted.every(({ family, table }) => kept.has(`${family} ${table}`))) rulesets.delete(key)
  })
  return kernel
}

/** Packet filter tables, as `inet name`. */
async function tablesIn(key: string): Promise<Set<string>> {
  const { stdout } = await runIn(netnsOf(key), 'nft', ['list', 'tables'])
  return new Set([...stdout.matchAll(/^table (.+)$/gm)].map(([, name]) => name!))
}

/** All namespaces of a plan, the host's own first and the bridges' next: pairs are made from there. */
function inOrder(plan: Plan): [string, NamespacePlan][] {
  return [[hostKey, plan.host], ...plan.namespaces]
}

export interface Applied {
  problems: Problem[]
  /** Namespaces where something that was allowed may not be any more. */
  shrunk: Set<string>
}

/** Rules come before devices: an unknown tap is dropped, so a port is never open before its rules are there. */
export async function applyRulesets(kernel: KernelState, plan: Plan): Promise<Applied> {
  const applied: Applied = { problems: [], shrunk: new Set() }
  await inPool(inOrder(plan), 2, async ([key, { rulesets, owner }]) => {
    const known = kernel.rulesets.get(key)
    let text = ''
    for (const ruleset of rulesets) {
      const before = known?.get(ruleset.table)
      const change = before ? changeText(before, ruleset) : { text: firstText(ruleset), shrinks: true }
      text += change.text
      if (change.shrinks) applied.shrunk.add(key)
    }
    if (!text) return
    const outcome = await runIn(netnsOf(key), 'nft', ['-f', '-'], { input: text })
    if (outcome.code === 0) {
      kernel.rulesets.set(key, new Map(rulesets.map(ruleset => [ruleset.table, ruleset])))
      return
    }
    // Next time the table is replaced whole.
    kernel.rulesets.delete(key)
    applied.problems.push({ id: owner, message: `nft in ${key || 'the host'}: ${reason(outcome)}` })
  })
  return applied
}

const firstText = (ruleset: Ruleset) => (ruleset.chains.size > 0 ? replaceText(ruleset) : removeText(ruleset))

export interface LinksApplied {
  problems: Problem[]
  /** A device could not be made as wanted. A route that leads nowhere is its owner's problem alone. */
  suspect: boolean
  added: { netns: string; device: string; address: string }[]
}

export async function applyLinks(
  kernel: KernelState,
  plan: Plan,
  names: PlaneNames,
  tapOwner?: number,
): Promise<LinksApplied> {
  const applied: LinksApplied = { problems: [], suspect: false, added: [] }
  const one = async ([key, wanted]: [string, NamespacePlan]) => {
    const have = kernel.links.get(key) ?? new Map<string, KernelLink>()
    markBroken(have, wanted, kernel)
    const mine = (name: string, link: KernelLink) =>
      key === hostKey ? names.isHostDevice(name) && link.kind === 'veth' : key === names.dataplane && isRemovable(name)
    const change = linkChange(have, wanted.links, mine, tapOwner)
    const oldRoutes = kernel.routes.get(key) ?? []
    const routesDiffer = JSON.stringify(oldRoutes.map(keyOf)) !== JSON.stringify(wanted.routes.map(keyOf))
    const lines: BatchLine[] = [...change.lines]
    if (lines.length > 0 || routesDiffer) lines.push(...routeLines(oldRoutes, wanted.routes))
    const failures = await batch(key, lines)
    applied.problems.push(...failures)
    applied.added.push(...change.added.map(entry => ({ netns: key, ...entry })))
    kernel.routes.set(key, wanted.routes)
    kernel.links.set(key, asKernel(wanted.links))
    if (failures.some(({ message }) => !message.startsWith('ip route'))) applied.suspect = true
  }
  const [host, dataplane, ...others] = inOrder(plan)
  await one(host!)
  await one(dataplane!)
  await inPool(others, 4, one)
  return applied
}

const keyOf = ({ destination, via }: Route) => [destination, via]

/** The far ends of the host's pairs in the data-plane namespace go with the host's ends. */
const isRemovable = (name: string) => /^(brq|tap|dhp|rtr)/.test(name)

/** A pair whose far end is not where it belongs (its namespace was lost) is made anew. */
function markBroken(have: Map<string, KernelLink>, wanted: NamespacePlan, kernel: KernelState): void {
  for (const [name, { peer }] of wanted.links) {
    const near = have.get(name)
    if (!near || !peer || kernel.links.get(peer.netns)?.has(peer.name)) continue
    near.kind = 'broken'
  }
}

async function batch(key: string, lines: readonly BatchLine[]): Promise<Problem[]> {
  if (lines.length === 0) return []
  const args = [...(key === hostKey ? [] : ['-n', key]), '-force', '-batch', '-']
  const outcome = await run('ip', args, { input: lines.map(line => `${line.text}\n`).join('') })
  if (outcome.code === 0) return []
  const failures = batchFailures(lines, outcome.stderr)
  if (failures.length === 0) return [{ id: lines[0]!.owner, message: `ip in ${key || 'the host'}: ${reason(outcome)}` }]
  return failures.map(({ owner, message }) => ({ id: owner, message }))
}

/** Tells neighbours where addresses live now: as request and as reply, since some heed only one, and twice, since one may be lost. */
export async function announce(added: LinksApplied['added']): Promise<void> {
  const v4 = added.filter(({ address }) => !address.includes(':'))
  await inPool(v4, 16, async ({ netns, device, address }) => {
    const args = ['-c', '2', '-w', '2', '-I', device, address.split('/')[0]!]
    await Promise.all(['-U', '-A'].map(kind => runIn(netns, 'arping', [kind, ...args])))
  })
}
