/** Of rules that the cloud cannot go by all together, those that it can. */
import { messageOf } from '#kernel/errors.ts'
import { references } from '#kernel/policy/enforcer.ts'
import type { LivePolicy } from '#kernel/policy/live.ts'
import type { CheckSource } from '#kernel/policy/rule.ts'

export type Rules = Record<string, CheckSource>

export interface DroppedRule {
  rule: string
  reason: string
}

/** As many as fit, in their order; a rule that refers to one that does not fit goes with it. */
export function fitting(policy: Pick<LivePolicy, 'with'>, rules: Rules): { rules: Rules; dropped: DroppedRule[] } {
  const dropped: DroppedRule[] = []
  /** Halves what does not fit until it is single rules: few are at fault. */
  function add(kept: Rules, names: readonly string[]): Rules {
    const wanted = { ...kept, ...withReferences(rules, names) }
    try {
      policy.with(wanted)
      return wanted
    } catch (error) {
      if (names.length === 1) {
        dropped.push({ rule: names[0]!, reason: messageOf(error) })
        return kept
      }
    }
    const middle = Math.ceil(names.length / 2)
    return add(add(kept, names.slice(0, middle)), names.slice(middle))
  }
  const names = Object.keys(rules)
  const fit = names.length === 0 ? {} : add({}, names)
  return {
    rules: Object.fromEntries(names.filter(name => Object.hasOwn(fit, name)).map(name => [name, fit[name]!])),
    dropped,
  }
}

/** The rules of these names, and those among all that they are made of. */
function withReferences(all: Rules, names: readonly string[]): Rules {
  const found: Rules = {}
  const open = [...names]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (Object.hasOwn(found, name) || !Object.hasOwn(all, name)) continue
    found[name] = all[name]!
    open.push(...references(all[name]!))
  }
  return found
}
