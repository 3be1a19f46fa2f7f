/** Finds the operations behind a method and a path. A service's paths are laid out when it is first asked: most starts need few of them at once. */
import findMyWay, { type HTTPMethod } from 'find-my-way'
import type { Method, Operation } from '../operation.ts'
import type { Service } from '../service.ts'

/** How paths are read, here and in the server around. */
export const pathOptions = { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 500 } as const

export interface Found {
  service: Service
  /** Operations that share a method and path: chosen by the body's key (`/action`) or by API version. */
  operations: readonly Operation[]
  params: Record<string, string>
}

export interface Routes {
  /** The service that a path belongs to. */
  service(path: string): Service | undefined
  /** `HEAD` finds what `GET` does where it has no operation of its own. `path` may have a query. */
  find(method: string, path: string): Found | undefined
  /** Which methods a path has. */
  methods(path: string): string[]
}

/** True for `/v2.1/servers/`, whose last part should name something; `/` and `/v2.1/` are there. */
function nameless(service: Service, path: string): boolean {
  const [below = ''] = path.slice(service.path.length).split('?')
  return /^\/+[^/]+\/.*\/$/.test(below)
}

interface Router {
  find(method: string, path: string): Omit<Found, 'service'> | undefined
}

const methods: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

export function createRoutes(services: readonly Service[]): Routes {
  const byLongestPath = [...services].sort((a, b) => b.path.length - a.path.length)
  const serviceOf = (path: string) =>
    byLongestPath.find(s => path === s.path || path.startsWith(`${s.path}/`) || path.startsWith(`${s.path}?`))
  function find(method: string, path: string): Found | undefined {
    const service = serviceOf(path)
    if (!service || (service.strictSlashes && nameless(service, path))) return undefined
    const found = routerOf(service).find(method, path)
    return found && { service, ...found }
  }
  return { service: serviceOf, find, methods: path => methods.filter(method => find(method, path)) }
}

/** A service is a value that never changes: each further cloud of a process, a reset one as well, has its paths laid out already. */
const routers = new WeakMap<Service, Router>()

function routerOf(service: Service): Router {
  const known = routers.get(service) ?? layOut(service)
  routers.set(service, known)
  return known
}

function layOut(service: Service): Router {
  const router = findMyWay(pathOptions)
  for (const { method, path, operations } of groups(service)) router.on(method, path, () => {}, operations)
  const lookUp = (method: string, path: string) => {
    const found = router.find(method as HTTPMethod, path)
    return found
      ? { operations: found.store as Operation[], params: found.params as Record<string, string> }
      : undefined
  }
  return { find: (method, path) => lookUp(method, path) ?? (method === 'HEAD' ? lookUp('GET', path) : undefined) }
}

function groups(service: Service) {
  const found = new Map<string, { method: Method; path: string; operations: Operation[] }>()
  for (const operation of service.operations) {
    const key = `${operation.method} ${operation.path.replace(/\{[^}]+\}/g, '{}')}`
    const group = found.get(key)
    if (group) group.operations.push(operation)
    else
      found.set(key, {
        method: operation.method,
        path: pattern(`${service.path}${operation.path}`),
        operations: [operation],
      })
  }
  return found.values()
}

/** `/servers/{server_id}` as the router writes it; `{name*}` takes the rest of the path. */
function pattern(path: string): string {
  return path.replace(/\{[^}]+\*\}/g, '*').replace(/\{([^}]+)\}/g, ':$1') || '/'
}
