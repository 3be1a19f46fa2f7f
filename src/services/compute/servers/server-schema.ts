/** The shape of a server in answers, at every API version. */
import { Type } from '#kernel/schema/builders.ts'
import { since, until } from '#kernel/schema/marks.ts'
import { linksSchema as links } from '../dialect.ts'
import { showsAttributes } from '../extensions/extensions.ts'
import { shownRequest } from './software/software.ts'

const text = Type.String()
const nullableText = Type.Union([Type.String(), Type.Null()])

const flavor = Type.Object(
  {
    id: until('2.46', text),
    links: until('2.46', links),
    original_name: since('2.47', text),
    vcpus: since('2.47', Type.Integer()),
    ram: since('2.47', Type.Integer()),
    disk: since('2.47', Type.Integer()),
    ephemeral: since('2.47', Type.Integer()),
    swap: since('2.47', Type.Integer()),
    extra_specs: since('2.47', Type.Record(text, text)),
  },
  { additionalProperties: false },
)

const address = Type.Object({
  version: Type.Integer(),
  addr: text,
  'OS-EXT-IPS:type': Type.Union([Type.Literal('fixed'), Type.Literal('floating')]),
  'OS-EXT-IPS-MAC:mac_addr': text,
})

export const addressesSchema = Type.Record(text, Type.Array(address))

export const faultSchema = Type.Object({
  code: Type.Integer(),
  created: text,
  message: text,
  details: Type.Optional(text),
})

export const serverSchema = Type.Object(
  {
    id: text,
    name: text,
    status: text,
    tenant_id: text,
    user_id: text,
    metadata: Type.Record(text, text),
    hostId: text,
    image: Type.Union([
      Type.Object({ id: text, links, properties: since('2.98', Type.Record(text, text)) }),
      Type.Literal(''),
    ]),
    flavor,
    created: text,
    updated: text,
    addresses: addressesSchema,
    accessIPv4: text,
    accessIPv6: text,
    links,
    progress: Type.Optional(Type.Integer()),
    fault: Type.Optional(faultSchema),
    key_name: nullableText,
    config_drive: text,
    security_groups: Type.Optional(Type.Array(Type.Object({ name: text }))),
    'OS-DCF:diskConfig': text,
    'OS-EXT-AZ:availability_zone': text,
    'OS-SRV-USG:launched_at': nullableText,
    'OS-SRV-USG:terminated_at': nullableText,
    'OS-EXT-STS:task_state': nullableText,
    'OS-EXT-STS:vm_state': text,
    'OS-EXT-STS:power_state': Type.Integer(),
    'os-extended-volumes:volumes_attached': Type.Array(
      Type.Object({ id: text, delete_on_termination: since('2.3', Type.Boolean()) }),
    ),
    'OS-EXT-SRV-ATTR:host': Type.Optional(nullableText),
    'OS-EXT-SRV-ATTR:instance_name': Type.Optional(text),
    'OS-EXT-SRV-ATTR:hypervisor_hostname': Type.Optional(nullableText),
    'OS-EXT-SRV-ATTR:reservation_id': since('2.3', text),
    'OS-EXT-SRV-ATTR:launch_index': since('2.3', Type.Integer()),
    'OS-EXT-SRV-ATTR:hostname': since('2.3', text),
    'OS-EXT-SRV-ATTR:kernel_id': since('2.3', text),
    'OS-EXT-SRV-ATTR:ramdisk_id': since('2.3', text),
    'OS-EXT-SRV-ATTR:root_device_name': since('2.3', nullableText),
    'OS-EXT-SRV-ATTR:user_data': since('2.3', nullableText),
    locked: since('2.9', Type.Boolean()),
    host_status: since('2.16', text),
    description: since('2.19', nullableText),
    tags: since('2.26', Type.Array(text)),
    trusted_image_certificates: since('2.63', Type.Union([Type.Array(text), Type.Null()])),
    server_groups: since('2.71', Type.Array(text)),
    locked_reason: since('2.73', nullableText),
    pinned_availability_zone: since('2.96', nullableText),
    scheduler_hints: since('2.100', Type.Record(text, Type.Array(text))),
  },
  { additionalProperties: false, ...showsAttributes },
)

/** Of a server that is shown alone. */
export const singleSchema = Type.Object(
  { ...serverSchema.properties, 'os-software:request': Type.Optional(shownRequest) },
  { additionalProperties: false, ...showsAttributes },
)

/** In answers to a change: all of it from 2.75 on, a part before. */
export const changedSchema = Type.Partial(
  Type.Object(
    { ...serverSchema.properties, addresses: Type.Record(text, Type.Array(Type.Partial(address))) },
    { additionalProperties: false, ...showsAttributes },
  ),
)
