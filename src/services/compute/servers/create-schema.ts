/** The request to create servers, at every API version. */
import { type Static, type TSchema, Type } from '#kernel/schema/builders.ts'
import { byVersion, since, until } from '#kernel/schema/marks.ts'
import { description, flag, hostName, metadata, name, wholeNumber } from '../dialect.ts'
import { takesAttributes } from '../extensions/extensions.ts'
import { levelPattern } from '../places/place.ts'
import { softwareRequest } from './software/software.ts'

const uuid = Type.String({ format: 'uuid' })
const address = Type.String({ format: 'ip' })

/** No slash, no comma. */
export const tag = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/]*$' })

export const diskConfig = Type.Union([Type.Literal('AUTO'), Type.Literal('MANUAL')])

/** One label up to 2.93, a full domain name from 2.94 on. */
export const hostname = byVersion(
  {
    '2.90': Type.String({ minLength: 2, maxLength: 63, pattern: '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$' }),
    '2.94': hostName,
  },
  hostName,
)

export const accessIp = (format: 'ipv4' | 'ipv6') =>
  Type.Unsafe<string>({ type: 'string', anyOf: [{ format }, { const: '' }] })

/** An access address as it is kept: addresses of IPv6 in the form of RFC 5952, whatever form was sent. */
export function keptIp(sent: string | undefined): string | null {
  if (!sent) return null
  return sent.includes(':') ? new URL(`http://[${sent}]`).hostname.slice(1, -1) : sent
}

const networkFields = (id: typeof uuid) => ({
  uuid: Type.Optional(id),
  port: Type.Optional(Type.Union([uuid, Type.Null()])),
  fixed_ip: Type.Optional(address),
})
const network = (id: typeof uuid) => Type.Object(networkFields(id), { additionalProperties: false })
const taggedNetwork = (id: typeof uuid) =>
  Type.Object({ ...networkFields(id), tag: Type.Optional(tag) }, { additionalProperties: false })

const word = Type.Union([Type.Literal('none'), Type.Literal('auto')])
const networks = Type.Union([Type.Array(taggedNetwork(uuid)), word])

/** A slip of upstream's left the tag out between 2.33 and 2.41. */
const networksField = byVersion(
  {
    '2.1': Type.Array(network(Type.String())),
    '2.32': Type.Array(taggedNetwork(Type.String())),
    '2.37': Type.Union([Type.Array(network(uuid)), word]),
    '2.42': networks,
  },
  networks,
)

const deviceText = Type.Optional(Type.String({ maxLength: 255 }))
const anyDevice = {
  device_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._/-]*$' })),
  virtual_name: deviceText,
  volume_id: deviceText,
  snapshot_id: deviceText,
  volume_size: Type.Optional(wholeNumber(0)),
  delete_on_termination: Type.Optional(flag),
  no_device: Type.Optional(Type.Unknown()),
  connection_info: Type.Optional(Type.String({ maxLength: 65_535 })),
}

/** From before `block_device_mapping_v2`. */
const oldBlockDevice = Type.Object(anyDevice, { additionalProperties: false })

const blockDevice = Type.Object(
  {
    ...anyDevice,
    source_type: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['volume', 'image', 'snapshot', 'blank'] })),
    destination_type: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['local', 'volume'] })),
    uuid: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._-]*$' })),
    boot_index: Type.Optional(
      Type.Unsafe<number | string | null>({ type: ['integer', 'string', 'null'], pattern: '^-?[0-9]+$' }),
    ),
    image_id: deviceText,
    guest_format: deviceText,
    device_type: deviceText,
    disk_bus: deviceText,
    tag: since('2.32', tag),
    volume_type: since('2.67', Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
  },
  { additionalProperties: false },
)

const oneOrMany = (item: TSchema) => Type.Unsafe<string | string[]>({ anyOf: [item, { type: 'array', items: item }] })

const level = Type.String({ pattern: levelPattern })

const hints = Type.Object({
  group: Type.Optional(oneOrMany(uuid)),
  same_host: Type.Optional(oneOrMany(uuid)),
  different_host: Type.Optional(oneOrMany(uuid)),
  query: Type.Optional(Type.Unknown()),
  build_near_host_ip: Type.Optional(address),
  cidr: Type.Optional(Type.String({ pattern: '^/[0-9a-f.:]+$' })),
  same_place: Type.Optional(oneOrMany(level)),
  prefer_same_place: Type.Optional(oneOrMany(level)),
  spread_over: Type.Optional(oneOrMany(level)),
  prefer_spread_over: Type.Optional(oneOrMany(level)),
  all_or_nothing: Type.Optional(flag),
  related_servers: Type.Optional(oneOrMany(uuid)),
})

export const personality = Type.Array(
  Type.Object(
    { path: Type.String({ maxLength: 255 }), contents: Type.String({ format: 'base64', maxLength: 1_048_576 }) },
    { additionalProperties: false },
  ),
  { maxItems: 1000 },
)

export const trustedCertificates = Type.Union([
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50, uniqueItems: true }),
  Type.Null(),
])

const properties = {
  name,
  imageRef: Type.Optional(Type.Unsafe<string>({ type: 'string', anyOf: [{ format: 'uuid' }, { maxLength: 0 }] })),
  flavorRef: Type.Unsafe<string | number>({ type: ['string', 'integer'], minLength: 1 }),
  adminPass: Type.Optional(Type.String()),
  metadata: Type.Optional(metadata(Type.String({ maxLength: 255 }))),
  networks: Type.Optional(networksField),
  'OS-DCF:diskConfig': Type.Optional(diskConfig),
  accessIPv4: Type.Optional(accessIp('ipv4')),
  accessIPv6: Type.Optional(accessIp('ipv6')),
  personality: until('2.56', personality),
  availability_zone: Type.Optional(name),
  block_device_mapping: Type.Optional(Type.Array(oldBlockDevice, { maxItems: 64 })),
  block_device_mapping_v2: Type.Optional(Type.Array(blockDevice, { maxItems: 64 })),
  config_drive: Type.Optional(flag),
  key_name: Type.Optional(name),
  min_count: Type.Optional(wholeNumber(1)),
  max_count: Type.Optional(wholeNumber(1)),
  return_reservation_id: Type.Optional(flag),
  security_groups: Type.Optional(
    Type.Array(Type.Object({ name: Type.Optional(name) }, { additionalProperties: false }), { maxItems: 256 }),
  ),
  user_data: Type.Optional(Type.String({ format: 'base64', maxLength: 65_535 })),
  description: since('2.19', description(255)),
  tags: since('2.52', Type.Array(tag, { maxItems: 50 })),
  trusted_image_certificates: since('2.63', trustedCertificates),
  host: since('2.74', hostName),
  hypervisor_hostname: since('2.74', hostName),
  hostname: since('2.90', hostname),
  'os-software:request': Type.Optional(softwareRequest),
}

const options = { additionalProperties: false, ...takesAttributes }

/** From 2.37 on the networks have to be said. */
const withNetworks = Type.Object({ ...properties, networks: networksField }, options)
const server = byVersion({ '2.1': Type.Object(properties, options), '2.37': withNetworks }, withNetworks)

export const createRequest = Type.Object(
  {
    server,
    'os:scheduler_hints': Type.Optional(hints),
    'OS-SCH-HNT:scheduler_hints': Type.Optional(hints),
  },
  { additionalProperties: false },
)

const looseServer = Type.Object(properties, { additionalProperties: false })

/** What a handler gets: networks may be absent, in older versions. */
export interface CreateBody {
  server: Static<typeof looseServer>
  'os:scheduler_hints'?: Static<typeof hints>
  'OS-SCH-HNT:scheduler_hints'?: Static<typeof hints>
}

export type BlockDevice = Static<typeof blockDevice>
export type OldBlockDevice = Static<typeof oldBlockDevice>
