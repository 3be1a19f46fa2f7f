/** `nephos api schema`: a service's API as an OpenAPI document, for readers and generators of clients. */
import { openapi, undeclared } from '#kernel/http/openapi.ts'
import { ordinal, parseVersion, type Version } from '#kernel/schema/version.ts'
import type { Service } from '#kernel/service.ts'
import { StartError } from './data-dir.ts'
import { servicesOf } from './settings.ts'

/** Exit code 1 when routes have no schema; they are named, and the document has the others. `known`: the services of a data directory. */
export async function apiSchema(
  { service: type, version, data }: { service: string; version: string | undefined; data: string },
  known: (data: string) => Promise<Service[]> = servicesOf,
): Promise<number> {
  const services = await known(data)
  const service = services.find(one => one.type === type)
  if (!service) throw new StartError(`there is no service ${type}: say ${services.map(one => one.type).join(', ')}`)
  const asked = version === undefined ? undefined : versionOf(service, version)
  console.log(JSON.stringify(openapi(service, asked), null, 2))
  const missing = service.operations.flatMap(one => undeclared(one).map(which => `  ${one.id}: ${which}`))
  if (missing.length === 0) return 0
  console.error(`${missing.length} routes have no schema of their own:\n${missing.join('\n')}`)
  return 1
}

/** Throws StartError for a version that the service does not have. */
export function versionOf({ type, microversions }: Service, text: string): Version {
  if (!microversions) throw new StartError(`${type} has no versions to choose from: leave --version out`)
  const { min, max, zeroMajor } = microversions
  const version = parseVersion(text, zeroMajor)
  if (!version || ordinal(version) < ordinal(min) || ordinal(version) > ordinal(max))
    throw new StartError(`${type} has no version ${text}: say one from ${min} to ${max}`)
  return version
}
