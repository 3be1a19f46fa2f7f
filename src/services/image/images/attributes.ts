/** The attributes of an image: their schema, as the API shows it, and which of them nobody sets. */
import { Type } from '#kernel/schema/builders.ts'

const text = (description: string, maxLength = 255) => ({ type: ['null', 'string'], description, maxLength })

export const diskFormats = [
  ...['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop', 'gpt'],
]
export const containerFormats = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed']
export const visibilities = ['community', 'public', 'private', 'shared']
export const statuses = [
  ...['queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing', 'pending_delete', 'deactivated'],
]

/** Every attribute as JSON Schema, the way `GET /v2/schemas/image` gives it. */
export const attributes: Record<string, Record<string, unknown>> = {
  id: {
    type: 'string',
    description: 'Identifier of the image.',
    pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
  },
  name: text('Name for people; need not be unique.'),
  status: { type: 'string', readOnly: true, description: 'State of the image.', enum: statuses },
  visibility: { type: 'string', description: 'Who sees the image.', enum: visibilities },
  protected: { type: 'boolean', description: 'Whether deletion is refused.' },
  os_hidden: { type: 'boolean', description: 'Whether lists leave it out unless asked.' },
  checksum: { ...text('MD5 of the bytes.', 32), readOnly: true },
  os_hash_algo: { ...text('Algorithm of os_hash_value.', 64), readOnly: true },
  os_hash_value: { ...text('Hash of the bytes, in hexadecimal.', 128), readOnly: true },
  owner: text('Project that owns the image.'),
  size: { type: ['null', 'integer'], readOnly: true, description: 'Size of the bytes.' },
  virtual_size: { type: ['null', 'integer'], readOnly: true, description: 'Size of the disk inside, in bytes.' },
  container_format: {
    type: ['null', 'string'],
    description: 'What the disk is wrapped in.',
    enum: [null, ...containerFormats],
  },
  disk_format: { type: ['null', 'string'], description: 'Format of the disk.', enum: [null, ...diskFormats] },
  created_at: { type: 'string', readOnly: true, description: 'When the image was registered.' },
  updated_at: { type: 'string', readOnly: true, description: 'When the image was last changed.' },
  tags: {
    type: 'array',
    description: 'Words that go with the image.',
    items: { type: 'string', maxLength: 255 },
  },
  direct_url: { type: 'string', readOnly: true, description: 'Address of the bytes in their store.' },
  min_ram: { type: 'integer', maximum: 2_147_483_647, description: 'MB of memory that a server needs to boot it.' },
  min_disk: { type: 'integer', maximum: 2_147_483_647, description: 'GB of disk that a server needs to boot it.' },
  self: { type: 'string', readOnly: true, description: 'Address of the image.' },
  file: { type: 'string', readOnly: true, description: 'Address of the bytes.' },
  stores: { type: 'string', readOnly: true, description: 'Stores that hold the bytes, separated by commas.' },
  schema: { type: 'string', readOnly: true, description: 'Address of the schema.' },
  locations: {
    type: 'array',
    description: 'Addresses of the bytes, when the cloud shows them.',
    items: {
      type: 'object',
      properties: {
        url: { type: 'string', maxLength: 2048 },
        metadata: { type: 'object', maxProperties: 128 },
        validation_data: {
          type: 'object',
          writeOnly: true,
          additionalProperties: false,
          properties: {
            checksum: { type: 'string', minLength: 32, maxLength: 32 },
            os_hash_algo: { type: 'string', maxLength: 64 },
            os_hash_value: { type: 'string', maxLength: 128 },
          },
          required: ['os_hash_algo', 'os_hash_value'],
        },
      },
      required: ['url', 'metadata'],
    },
  },
}

/** Set by the service alone: 403. */
export const readOnly = new Set([
  ...['created_at', 'updated_at', 'status', 'checksum', 'size', 'virtual_size', 'direct_url', 'self', 'file'],
  ...['schema', 'id', 'os_hash_algo', 'os_hash_value', 'stores'],
])

/** Refused on create with 403; the other read-only ones are dropped by validation. */
export const neverOnCreate = ['direct_url', 'self', 'file', 'schema', 'stores']

/** Shows the image that an image is only the changes to. Nobody sets it, as all that begins so. */
export const baseAttribute = 'os_glance_base_image_id'

export const reserved = (name: string) =>
  ['location', 'deleted', 'deleted_at'].includes(name) || name.startsWith('os_glance')

/** The attributes that are columns and may be set by users. */
export const settable = new Set([
  ...['name', 'visibility', 'protected', 'os_hidden', 'owner', 'container_format', 'disk_format', 'tags'],
  ...['min_ram', 'min_disk'],
])

/** What every answer about an image has at least; its own properties stand beside. */
export const imageAnswer = Type.Object({ id: Type.String(), status: Type.String(), visibility: Type.String() })
