/** What daemons say of hosts counts: as operators want it of every host that says something, and as flavors want it with `signals:NAME`. */
import { satisfies } from './extra-specs.ts'
import type { Filter } from './filters.ts'

const prefix = 'signals:'

export const asksForSignals = (extra_specs: Record<string, string>) =>
  Object.keys(extra_specs).some(key => key.startsWith(prefix))

export const hostSignalsFilter: Filter = ({ signals }, { extra_specs }, { wanted_signals }) => {
  const shown = (name: string) => (signals[name] === undefined ? undefined : String(signals[name]))
  const holds = (name: string, spec: string) => {
    const had = signals[name]
    return satisfies(typeof had === 'boolean' ? String(had) : had, spec)
  }
  for (const wanted of wanted_signals) {
    const [, name, spec] = /^(\S+)\s+(.+)$/.exec(wanted) ?? []
    // Advice: about a host of which nothing is said there is none.
    if (name === undefined || spec === undefined || signals[name] === undefined) continue
    if (!holds(name, spec)) return { asked: wanted, had: shown(name)! }
  }
  for (const [key, spec] of Object.entries(extra_specs)) {
    if (!key.startsWith(prefix)) continue
    const name = key.slice(prefix.length)
    if (!holds(name, spec)) return { asked: `${name} ${spec}`, had: shown(name) ?? 'nothing said of it' }
  }
  return undefined
}
