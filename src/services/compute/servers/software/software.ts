/** The software that a server is to have: the request of its owner, and what is known of each package. */
import { createHash } from 'node:crypto'
import { BadRequest } from '#kernel/errors.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { booleanOf } from '../../dialect.ts'
import type { ServerImage } from '../server.ts'
import type { Silence } from './silence.ts'

/** Who may ask for software, also while creating a server. */
export const softwareRule = rule('nephos:software:update', projectMemberOrAdmin)

/** Who may see what is asked for, also with a server that is shown alone. */
export const showSoftware = rule('nephos:software:show', projectReaderOrAdmin)

export const softwareDrivers = ['packages', 'puppet', 'chef'] as const
export type SoftwareDriver = (typeof softwareDrivers)[number]

/** `waiting`: a run begins as soon as the server is active. */
export type SoftwareStatus = 'waiting' | 'running' | 'done' | 'failed'

export interface SoftwareRow extends Silence {
  server_id: string
  driver: SoftwareDriver
  /** Sealed: it may hold secrets. */
  manifest: string | null
  manifest_sha256: string | null
  status: SoftwareStatus
  /** The newest run; what an older one still says of the whole does not count. */
  run: string | null
  message: string | null
  created_at: string
  updated_at: string
}

/** `absent`: it was to go, and nobody has ever seen it in the guest. */
export const packageStates = ['wanted', 'installed', 'failed', 'removed', 'absent'] as const
export type PackageState = (typeof packageStates)[number]

/** Nothing is left to do of what was to go. */
export const hasGone = ({ state }: PackageRow): boolean => state === 'removed' || state === 'absent'

export interface PackageRow {
  server_id: string
  name: string
  /** False: it is to be removed, or has been. */
  wanted: boolean
  wanted_version: string | null
  state: PackageState
  /** What is in the guest. */
  version: string | null
  message: string | null
  updated_at: string
}

export interface WantedPackage {
  name: string
  version: string | null
}

/** As asked for and checked; the manifest is plain. */
export interface SoftwareRequest {
  driver: SoftwareDriver
  packages: WantedPackage[]
  manifest: string | null
}

/** No dash in front makes an option of it, and none at the end makes apt remove it. */
const packageName = Type.String({ pattern: '^[A-Za-z0-9]([A-Za-z0-9+._:-]{0,126}[A-Za-z0-9+])?$' })
const packageVersion = Type.String({ pattern: '^[A-Za-z0-9]([A-Za-z0-9.+~:_-]{0,62}[A-Za-z0-9])?$' })

/** What is sent to ask for software. */
export const softwareRequest = Type.Object(
  {
    driver: Type.Unsafe<SoftwareDriver>({ type: 'string', enum: [...softwareDrivers] }),
    packages: Type.Optional(
      Type.Array(
        Type.Union([
          packageName,
          Type.Object({ name: packageName, version: Type.Optional(packageVersion) }, { additionalProperties: false }),
        ]),
        { maxItems: 100 },
      ),
    ),
    manifest: Type.Optional(Type.String({ minLength: 1, maxLength: 65_535 })),
  },
  { additionalProperties: false },
)

/** A request as it is shown with its server: one that may be sent again, but for the manifest. Packages are in the order of their names. */
export const shownRequest = Type.Object(
  {
    driver: softwareRequest.properties.driver,
    packages: Type.Array(
      Type.Object({ name: Type.String(), version: Type.Optional(Type.String()) }, { additionalProperties: false }),
    ),
    manifest_sha256: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)
export type ShownRequest = Static<typeof shownRequest>

/** The 400 of a request for software that came as this field. */
export const refusedRequest = (field: string, why: string) =>
  new BadRequest(`Invalid input for field/attribute ${field}. ${why}`)

/** Throws what schemas cannot say of a request that came as this field. */
export function checkedRequest(
  field: string,
  { driver, packages = [], manifest }: Static<typeof softwareRequest>,
): SoftwareRequest {
  const wanted = packages.map(one => ({ version: null, ...(typeof one === 'string' ? { name: one } : one) }))
  const twice = wanted.find(({ name }, i) => wanted.findIndex(one => one.name === name) !== i)
  if (twice) throw refusedRequest(field, `Package ${twice.name} is asked for twice.`)
  if (driver === 'packages' && manifest !== undefined)
    throw refusedRequest(field, 'The driver packages takes no manifest: name the packages, or ask for puppet or chef.')
  if (driver !== 'packages' && manifest === undefined)
    throw refusedRequest(field, `The driver ${driver} needs a manifest: ${manifestOf[driver]}.`)
  if (driver === 'chef' && !isObject(manifest!)) throw refusedRequest(field, `The manifest is not ${manifestOf.chef}.`)
  return { driver, packages: wanted, manifest: manifest ?? null }
}

const manifestOf = { puppet: 'the text of a Puppet manifest', chef: 'the JSON object of a Chef node' }

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

export const digestOf = (manifest: string) => createHash('sha256').update(manifest).digest('hex')

/** Of the saga that a run is. Its own: what else is done to the server does not wait for it. */
export const softwareSubject = (serverId: string) => `software of ${serverId}`

export const noAgent = 'Its image promises no agent in the guest: the property hw_qemu_guest_agent has to be yes.'

export const hasAgent = (image: ServerImage | null): boolean =>
  booleanOf(image?.properties.hw_qemu_guest_agent ?? '') === true
