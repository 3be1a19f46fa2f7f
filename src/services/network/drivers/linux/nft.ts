/** nftables rulesets as data: their text, and the smallest transaction from one to the next. */

export interface NftSet {
  /** Type and flags: `type ipv4_addr; flags interval;`. A set's name fixes its spec. */
  spec: string
  elements: ReadonlySet<string>
  /** `map` when elements carry a value. */
  kind: 'set' | 'map'
}

export interface NftChain {
  /** Hook of a base chain: `type filter hook forward priority 0; policy accept;`. */
  hook?: string
  rules: readonly string[]
}

export interface Ruleset {
  family: 'bridge' | 'inet' | 'ip' | 'ip6'
  table: string
  sets: ReadonlyMap<string, NftSet>
  chains: ReadonlyMap<string, NftChain>
}

export interface Change {
  /** For `nft -f -`; empty when nothing changes. */
  text: string
  /** Something that was allowed before may not be any more. */
  shrinks: boolean
}

const elementList = (elements: Iterable<string>) => `{ ${[...elements].join(', ')} }`

/** The whole table in one transaction that replaces what is there, if anything: packets see the old rules or the new. */
export function replaceText(ruleset: Ruleset): string {
  const name = `${ruleset.family} ${ruleset.table}`
  const lines = [`table ${name}`, `delete table ${name}`, `table ${name} {`]
  for (const [set, { kind, spec, elements }] of ruleset.sets) {
    const filled = elements.size > 0 ? ` elements = ${elementList(elements)};` : ''
    lines.push(`  ${kind} ${set} { ${spec}${filled} }`)
  }
  // Chains come before the rules that jump to them only in a listing; within a table block nft sorts that out itself.
  for (const [chain, { hook, rules }] of ruleset.chains) {
    lines.push(`  chain ${chain} {`, ...(hook ? [`    ${hook}`] : []), ...rules.map(rule => `    ${rule}`), '  }')
  }
  return `${[...lines, '}'].join('\n')}\n`
}

export function removeText(ruleset: Pick<Ruleset, 'family' | 'table'>): string {
  const name = `${ruleset.family} ${ruleset.table}`
  return `table ${name}\ndelete table ${name}\n`
}

function sameRules(a: NftChain, b: NftChain): boolean {
  return a.rules.length === b.rules.length && a.rules.every((rule, i) => rule === b.rules[i])
}

/** The transaction that leads from `before` to `after`, which are the same table. */
export function changeText(before: Ruleset, after: Ruleset): Change {
  const name = `${after.family} ${after.table}`
  const lines: string[] = []
  let shrinks = false

  // What rules and elements refer to comes first.
  for (const [chain, { hook }] of after.chains) {
    if (!before.chains.has(chain)) lines.push(`add chain ${name} ${chain}${hook ? ` { ${hook} }` : ''}`)
  }
  const emptied: string[] = []
  for (const [chain, old] of before.chains) {
    const now = after.chains.get(chain)
    if (now && sameRules(old, now)) continue
    emptied.push(`flush chain ${name} ${chain}`)
    shrinks = true
  }
  lines.push(...emptied)
  for (const [set, old] of before.sets) {
    const now = after.sets.get(set)
    const gone = [...old.elements].filter(element => !now?.elements.has(element))
    if (gone.length > 0) lines.push(`delete element ${name} ${set} ${elementList(gone)}`)
    if (!now) lines.push(`delete ${old.kind} ${name} ${set}`)
    if (gone.length > 0 || !now) shrinks = true
  }
  for (const [set, { kind, spec, elements }] of after.sets) {
    const old = before.sets.get(set)
    if (!old) lines.push(`add ${kind} ${name} ${set} { ${spec} }`)
    const fresh = [...elements].filter(element => !old?.elements.has(element))
    if (fresh.length > 0) lines.push(`add element ${name} ${set} ${elementList(fresh)}`)
  }
  for (const [chain, now] of after.chains) {
    const old = before.chains.get(chain)
    if (old && sameRules(old, now)) continue
    lines.push(...now.rules.map(rule => `add rule ${name} ${chain} ${rule}`))
  }
  for (const chain of before.chains.keys()) {
    if (!after.chains.has(chain)) lines.push(`delete chain ${name} ${chain}`)
  }
  return { text: lines.length > 0 ? `${lines.join('\n')}\n` : '', shrinks }
}
