/** The schemas of images, as clients ask for them. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listDocument } from '../paging.ts'
import { type ImageSchema, imageSchemaOf } from './properties.ts'

const imageDocument = ({ properties, additionalProperties }: ImageSchema) => ({
  name: 'image',
  properties,
  additionalProperties,
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
})

const response = Type.Object({ name: Type.String(), properties: Type.Unknown() })

export const showImageSchema = operation({
  id: 'image.schemas.image',
  method: 'GET',
  path: '/v2/schemas/image',
  summary: 'Show the schema of an image',
  policy: 'authenticated',
  response,
  handle: async ctx => imageDocument(imageSchemaOf(ctx)) as never,
})

export const showImagesSchema = operation({
  id: 'image.schemas.images',
  method: 'GET',
  path: '/v2/schemas/images',
  summary: 'Show the schema of a list of images',
  policy: 'authenticated',
  response,
  handle: async ctx => listDocument('images', { type: 'array', items: imageDocument(imageSchemaOf(ctx)) }) as never,
})
