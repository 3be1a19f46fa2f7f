/** The properties of images that are described: by agreement among clouds, and by the deployer in a file. */
import { readFileSync } from 'node:fs'
import { perCloud } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import type { TSchema } from '#kernel/schema/builders.ts'
import { imageConfig } from '../config.ts'
import { attributes } from './attributes.ts'

type Property = Record<string, unknown>

const uuid = '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$'
const text = (description: string, more: Property = {}) => ({ type: 'string', is_base: false, description, ...more })

const agreed: Record<string, Property> = {
  architecture: text('Processor that the system is made for, as Linux names it.'),
  os_distro: text('Name of the operating system in small letters, as libosinfo has it.'),
  os_version: text('Version of the operating system, as its maker writes it.'),
  instance_uuid: text('The server that the image is a snapshot of.'),
  kernel_id: text('The image that holds the kernel to boot with.', { pattern: uuid }),
  ramdisk_id: text('The image that holds the ramdisk to boot with.', { pattern: uuid }),
}

/** A new image, where the deployer has described no properties of his own. */
export const imageBody = {
  type: 'object',
  properties: {
    ...agreed,
    ...Object.fromEntries(Object.entries(attributes).filter(([, property]) => !(property as Property).readOnly)),
  },
  additionalProperties: { type: 'string' },
} as unknown as TSchema

export interface ImageSchema {
  /** Of a whole image; its own properties are text. */
  whole: TSchema
  properties: Record<string, Property>
  /** False when the deployer allows no other properties, or what others must be. */
  additionalProperties: false | { type: 'string' }
}

function schemaWith(own: Record<string, Property>, others: boolean): ImageSchema {
  const properties = { ...agreed, ...own, ...attributes }
  const additionalProperties = others ? ({ type: 'string' } as const) : false
  const whole = { type: 'object', properties, additionalProperties } as unknown as TSchema
  return { whole, properties, additionalProperties }
}

/** Where the deployer has described none: one value for all clouds of a process, so that its check is compiled once. */
const [open, closed] = [schemaWith({}, true), schemaWith({}, false)]

/** Throws when the deployer's file is not what it should be. */
export const imageSchemaOf = perCloud<ImageSchema>(env => {
  const { properties_file, other_properties } = env.config.of(imageConfig)
  if (properties_file) return schemaWith(readProperties(properties_file), other_properties)
  return other_properties ? open : closed
})

function readProperties(path: string): Record<string, Property> {
  try {
    const found: Record<string, Property> = JSON.parse(readFileSync(path, 'utf8'))
    const wrong = Object.keys(found).find(name => found[name]?.type !== 'string')
    if (wrong !== undefined) throw new Error(`the type of "${wrong}" has to be "string"`)
    return Object.fromEntries(Object.entries(found).map(([name, schema]) => [name, { ...schema, is_base: false }]))
  } catch (cause) {
    throw new Error(`The file of image.properties_file cannot be used: ${messageOf(cause)}`, { cause })
  }
}

/** The schema of one attribute or property; undefined when there may be none of that name. */
export function schemaOf({ properties, additionalProperties }: ImageSchema, name: string): TSchema | undefined {
  if (Object.hasOwn(properties, name)) return properties[name] as unknown as TSchema
  return additionalProperties === false ? undefined : (additionalProperties as unknown as TSchema)
}
