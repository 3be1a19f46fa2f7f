/** How many factors, and which, a user or a project asks of a login. Pure. */

export interface Demand {
  /** All methods of one of them must be shown; none: any will do. */
  rules: readonly (readonly string[])[]
  /** How many different factors must be shown. */
  count: number
}

/** A token is no factor: those by which it was made are. */
const factorsOf = (methods: readonly string[]) => [...new Set(methods)].filter(method => method !== 'token')

/** What the options of a user or a project ask for. */
export function demandOf(options: Readonly<Record<string, unknown>>): Demand {
  const { multi_factor_auth_rules: rules, multi_factor_auth_count: count } = options
  return { rules: Array.isArray(rules) ? (rules as string[][]) : [], count: typeof count === 'number' ? count : 0 }
}

const byRules = ({ rules }: Demand, methods: readonly string[]) =>
  rules.length === 0 || rules.some(rule => rule.every(method => methods.includes(method)))

export function isMet(demand: Demand, methods: readonly string[]): boolean {
  return byRules(demand, methods) && factorsOf(methods).length >= demand.count
}

/** Every choice of `count` of these. */
function choices(of: readonly string[], count: number): string[][] {
  if (count <= 0) return [[]]
  return of.flatMap((first, i) => choices(of.slice(i + 1), count - 1).map(rest => [first, ...rest]))
}

/** The sets of methods that would do and hold some of those shown, where some do. `known`: the factors that there are. */
export function waysOn(demand: Demand, methods: readonly string[], known: readonly string[]): string[][] {
  if (!byRules(demand, methods)) {
    return demand.rules.filter(rule => rule.some(method => methods.includes(method))).map(rule => [...rule])
  }
  const shown = factorsOf(methods)
  const others = known.filter(method => !shown.includes(method))
  return choices(others, demand.count - shown.length).map(more => [...shown, ...more])
}
