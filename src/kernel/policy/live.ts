/** A policy that can change while the cloud runs: rules kept elsewhere lie between the defaults and the operator's file. */
import { type Enforcer, enforcer, references } from './enforcer.ts'
import { type CheckSource, personas, type Rule } from './rule.ts'

type Overrides = Readonly<Record<string, CheckSource>>

export interface LivePolicy extends Enforcer {
  /** The policy as it would be. Throws, saying what is wrong, when the cloud could not go by these. */
  with(overrides: Overrides): Enforcer
  /** From now on the cloud goes by these, and no longer by those of before; what the file says stays. Throws as `with` does, and then changes nothing. */
  override(overrides: Overrides): void
}

export function livePolicy(rules: readonly Rule[], file: Overrides = {}): LivePolicy {
  let current = enforcer(rules, file)
  let taken = '{}'
  const said = saidBy(rules, file)
  const policyWith = (overrides: Overrides) => {
    const others = Object.entries(overrides).filter(([name]) => !said.has(name))
    return enforcer(rules, { ...Object.fromEntries(others), ...file })
  }
  return {
    get warnings() {
      return current.warnings
    },
    allows: (name, credentials, target) => current.allows(name, credentials, target),
    describe: () => current.describe(),
    with: policyWith,
    override(overrides) {
      const text = JSON.stringify(overrides)
      if (text === taken) return
      current = policyWith(overrides)
      taken = text
    },
  }
}

/** The rules that the file decides about: those that it names, by their present names too, and what their checks are made of. */
function saidBy(rules: readonly Rule[], file: Overrides): Set<string> {
  const byName = new Map([...personas, ...rules].map(rule => [rule.name, rule]))
  const present = new Map(
    rules.flatMap(({ name, deprecated }) => (deprecated ? [[deprecated.name, name] as const] : [])),
  )
  const found = new Set<string>()
  function visit(name: string): void {
    if (found.has(name)) return
    found.add(name)
    const check = Object.hasOwn(file, name) ? file[name] : byName.get(name)?.check
    for (const next of check === undefined ? [] : references(check)) visit(next)
  }
  for (const name of Object.keys(file)) {
    visit(name)
    if (!byName.has(name) && present.has(name)) visit(present.get(name)!)
  }
  return found
}
