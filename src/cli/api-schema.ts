/** `nephos api schema`: a service's API as an OpenAPI document, for readers and generators of clients. */
import { openapi, undeclared } from '#kernel/http/openapi.ts'
import type { Version } from '#kernel/schema/version.ts'
import { services } from '../services.ts'
import { StartError } from './data-dir.ts'

/** Exit code 1 when routes have no schema; they are named, and the document has the others. */
export async function apiSchema({
  service: type,
  version,
}: {
  service: string
  version: string | undefined
}): Promise<number> {
  const service = services.find(one => one.type === type)
  if (!service) throw new StartError(`there is no service ${type}: say ${services.map(one => one.type).join(', ')}`)
  if (version !== undefined && !/^\d{1,3}\.\d{1,3}$/.test(version))
    throw new StartError(`${version} is no version such as 2.90`)
  process.stdout.write(`${JSON.stringify(openapi(service, version as Version | undefined), null, 2)}\n`)
  const missing = service.operations.flatMap(one => undeclared(one).map(which => `  ${one.id}: ${which}`))
  if (missing.length === 0) return 0
  console.error(`${missing.length} routes have no schema of their own:\n${missing.join('\n')}`)
  return 1
}
