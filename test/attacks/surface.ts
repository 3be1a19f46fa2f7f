/** Everything that an attacker can reach: each operation with an address, headers and bodies to send there. */
import { join } from 'node:path'
import { sections } from '../../src/cloud.ts'
import { loadConfig } from '../../src/kernel/config/load.ts'
import type { Operation } from '../../src/kernel/operation.ts'
import type { TSchema } from '../../src/kernel/schema/builders.ts'
import { schemaAt } from '../../src/kernel/schema/marks.ts'
import { ordinal } from '../../src/kernel/schema/version.ts'
import { configured, type Service } from '../../src/kernel/service.ts'
import { services } from '../../src/services.ts'

export interface Reachable {
  service: Service
  operation: Operation
}

/** Settings of a cloud with an extension: what is true of every operation is true of those that operators bring. */
export const extended = [
  `compute.extensions=${JSON.stringify([join(import.meta.dirname, '../../examples/extensions')])}`,
]

export const surface: Reachable[] = (await configured(services, loadConfig(sections, { overrides: extended }))).flatMap(
  service => service.operations.map(operation => ({ service, operation })),
)

/** An id that nothing has. */
export const nobody = '6a1f2c3d-0000-4000-8000-00000000beef'

/** The operation's address, with a value for every parameter. */
export function urlOf({ service, operation }: Reachable, value: string | ((name: string) => string) = nobody): string {
  const path = operation.path.replace(/\{(\w+)\*?\}/g, (_all, name: string) =>
    encodeURIComponent(typeof value === 'string' ? value : value(name)),
  )
  return service.path + path
}

/** Headers that ask for a version; by default the newest at which the operation is there. */
export function headersAt({ service, operation }: Reachable, version?: string): Record<string, string> {
  if (!service.microversions) return {}
  const asked = version ?? operation.versions?.max ?? service.microversions.max
  return { 'openstack-api-version': `${service.microversions.serviceType} ${asked}` }
}

/** Whether it is asked with a JSON body. */
export function takesBody({ operation }: Reachable): boolean {
  return operation.request !== undefined && !operation.raw
}

/** The schema of the body at the newest version that the operation knows. */
export function bodySchema({ service, operation }: Reachable): TSchema | undefined {
  const version = operation.versions?.max ?? service.microversions?.max
  return operation.request && schemaAt(operation.request, version ? ordinal(version) : Number.MAX_SAFE_INTEGER)
}

/** The header of a body that the operation reads. */
export function contentType({ operation }: Reachable): Record<string, string> {
  return { 'content-type': operation.accepts?.[0] ?? 'application/json' }
}
