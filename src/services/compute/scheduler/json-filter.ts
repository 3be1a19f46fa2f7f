/** Users ask of hosts what they like, as JSON in the hint `query`: `["and", [">=", "$free_ram_mb", 1024], ["=", "$host", "a", "b"]]`. */
import type { Filter } from './filters.ts'
import type { HostState } from './scheduler.ts'

type Value = string | number | boolean

/** What a query may name with `$`. */
const figures: Record<string, (host: HostState) => Value> = {
  host: host => host.host,
  nodename: host => host.node,
  hypervisor_hostname: host => host.node,
  hypervisor_type: host => host.hypervisor_type,
  hypervisor_version: host => host.hypervisor_version,
  free_ram_mb: host => host.free_ram_mb,
  free_disk_mb: host => host.free_disk_gb * 1024,
  vcpus_free: host => host.free_vcpus,
  num_instances: host => host.servers,
  num_io_ops: host => host.io_ops,
}

/** The first is compared with each of the others; fewer than two are never right. */
const compared = (holds: (first: Value, other: Value) => boolean) => (values: Value[]) =>
  values.length > 1 && values.slice(1).every(other => holds(values[0]!, other))

const operators: Record<string, (values: Value[]) => boolean> = {
  '=': compared((a, b) => a === b),
  '<': compared((a, b) => a < b),
  '>': compared((a, b) => a > b),
  '<=': compared((a, b) => a <= b),
  '>=': compared((a, b) => a >= b),
  in: values => values.length > 1 && values.slice(1).includes(values[0]!),
  not: values => values.some(value => !value),
  or: values => values.some(Boolean),
  and: values => values.every(Boolean),
}

export class QueryError extends Error {}

/** Deeper ones are refused. */
const deepest = 20

function evaluate(query: unknown, host: HostState, depth = 0): boolean {
  if (!Array.isArray(query) || depth > deepest) throw new QueryError('a query is a list: an operator and its values')
  if (query.length === 0) return true
  const [name, ...given] = query
  const operator = typeof name === 'string' && Object.hasOwn(operators, name) ? operators[name] : undefined
  if (!operator) throw new QueryError(`${JSON.stringify(name)} is no operator`)
  return operator(given.flatMap(one => valuesOf(one, host, depth)))
}

/** What a host does not have is left out. */
function valuesOf(given: unknown, host: HostState, depth: number): Value[] {
  if (Array.isArray(given)) return [evaluate(given, host, depth + 1)]
  if (typeof given === 'number' || typeof given === 'boolean') return [given]
  if (typeof given !== 'string' || given === '') return []
  if (!given.startsWith('$')) return [given]
  const name = given.slice(1)
  const [, signal] = /^signals\.(.+)$/.exec(name) ?? []
  if (signal !== undefined) return Object.hasOwn(host.signals, signal) ? [host.signals[signal]!] : []
  return Object.hasOwn(figures, name) ? [figures[name]!(host)] : []
}

/** Texts are read once, not once a host. */
export function queryOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const jsonFilter: Filter = (host, { query }) => {
  if (query === undefined) return undefined
  try {
    return evaluate(query.read, host) ? undefined : { asked: query.text, had: `not what host ${host.host} has` }
  } catch (error) {
    if (error instanceof QueryError) return { asked: query.text, had: `no host: ${error.message}` }
    throw error
  }
}
