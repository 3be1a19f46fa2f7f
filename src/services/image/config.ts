/** The section of the configuration about images. */

import { section } from '#kernel/config/section.ts'
import { Type } from '#kernel/schema/builders.ts'

export const imageConfig = section(
  'image',
  Type.Object(
    {
      directory: Type.String({
        default: '',
        description: 'Folder of the image files; by default a temporary one that is removed at the end.',
      }),
      max_size_bytes: Type.Integer({
        default: 1_099_511_627_776,
        minimum: 1,
        description: 'Largest image file that is taken.',
      }),
      max_virtual_size_bytes: Type.Integer({
        default: 70_368_744_177_664,
        minimum: 1,
        description: 'Largest disk that an image may hold, as a guest sees it.',
      }),
      project_bytes: Type.Integer({
        default: 0,
        minimum: 0,
        description: "Most bytes that a project's images may have in all; 0 is no limit.",
      }),
      project_images: Type.Integer({
        default: 0,
        minimum: 0,
        description: 'Most images that a project may have; 0 is no limit.',
      }),
      properties_file: Type.String({
        default: '',
        description:
          'JSON file with the JSON schemas, by name, of more properties that images have here. All are of type string.',
      }),
      other_properties: Type.Boolean({
        default: true,
        description: 'Whether images may have properties that no schema describes.',
      }),
      stale_upload_seconds: Type.Integer({
        default: 300,
        minimum: 30,
        description: 'An upload without a sign of life for so long has died: the image is queued again.',
      }),
    },
    { description: 'Images: where they are and how big they may be.' },
  ),
)
