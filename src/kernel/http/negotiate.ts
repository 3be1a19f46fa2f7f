/** Microversion negotiation: which API version a request speaks. */
import type { IncomingHttpHeaders } from 'node:http'
import { BadRequest, NotAcceptable } from '../errors.ts'
import { ordinal, parseVersion } from '../schema/version.ts'
import type { Microversions } from '../service.ts'

/** The version as text, the minimum when none is asked for. Throws 400 for malformed and 406 for unknown versions. */
export function negotiate(microversions: Microversions, headers: IncomingHttpHeaders): string {
  const asked = fromHeader(microversions, headers['openstack-api-version']) ?? legacy(microversions, headers)
  if (asked === undefined) return microversions.min
  if (asked === 'latest') return microversions.max
  const version = parseVersion(asked, microversions.zeroMajor)
  if (!version)
    throw new BadRequest(`API Version String ${asked} is of invalid format. Must be of format MajorNum.MinorNum.`, {
      extra: { api_version: asked },
    })
  if (ordinal(version) < ordinal(microversions.min) || ordinal(version) > ordinal(microversions.max)) {
    throw new NotAcceptable(
      `Version ${version} is not supported by the API. Minimum is ${microversions.min} and maximum is ${microversions.max}.`,
      { extra: { unacceptable_version: asked } },
    )
  }
  return version
}

/** `compute 2.90, volume 3.60`: several services may be named; ours counts, its last mention wins. */
function fromHeader({ serviceType }: Microversions, header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const mine = [header]
    .flat()
    .flatMap(h => h.split(','))
    .map(part => part.trim().split(/\s+/))
    .filter(([type]) => type?.toLowerCase() === serviceType)
  return mine.at(-1)?.[1]
}

function legacy({ legacyHeader }: Microversions, headers: IncomingHttpHeaders): string | undefined {
  const value = legacyHeader && headers[legacyHeader.toLowerCase()]
  return typeof value === 'string' ? value.trim() : undefined
}

/** The headers of an answer that say which version it speaks. */
export function versionHeaders(
  { serviceType, legacyHeader, vary }: Microversions,
  version: string,
): Record<string, string> {
  const names = [vary ?? 'OpenStack-API-Version', ...(legacyHeader ? [legacyHeader] : [])]
  return {
    'openstack-api-version': `${serviceType} ${version}`,
    ...(legacyHeader && { [legacyHeader.toLowerCase()]: version }),
    vary: names.join(', '),
  }
}
