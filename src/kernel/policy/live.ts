/** A policy that can change while the cloud runs: rules kept elsewhere lie between the defaults and the operator's file. */
import { type Enforcer, enforcer } from './enforcer.ts'
import type { CheckSource, Rule } from './rule.ts'

type Overrides = Readonly<Record<string, CheckSource>>

export interface LivePolicy extends Enforcer {
  /** Throws, saying what is wrong, when the cloud could not go by these. */
  check(overrides: Overrides): void
  /** From now on the cloud goes by these, and no longer by those of before; what the file says stays. Throws as `check` does, and then changes nothing. */
  override(overrides: Overrides): void
}

export function livePolicy(rules: readonly Rule[], file: Overrides = {}): LivePolicy {
  let current = enforcer(rules, file)
  return {
    get warnings() {
      return current.warnings
    },
    allows: (name, credentials, target) => current.allows(name, credentials, target),
    describe: () => current.describe(),
    check: overrides => void enforcer(rules, { ...overrides, ...file }),
    override(overrides) {
      current = enforcer(rules, { ...overrides, ...file })
    },
  }
}
