/** The schemas of members of images, as clients ask for them. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { memberStatuses } from './member.ts'

const memberDocument = {
  name: 'member',
  properties: {
    created_at: { type: 'string', description: 'When the member was added.' },
    image_id: { type: 'string', description: 'The image.', pattern: '^[0-9a-fA-F-]{36}$' },
    member_id: { type: 'string', description: 'The project that the image is shared with.' },
    schema: { type: 'string', readOnly: true },
    status: { type: 'string', description: 'What the project made of the offer.', enum: memberStatuses },
    updated_at: { type: 'string', description: 'When the status was last changed.' },
  },
}

const response = Type.Object({ name: Type.String(), properties: Type.Unknown() })

export const showMemberSchema = operation({
  id: 'image.schemas.member',
  method: 'GET',
  path: '/v2/schemas/member',
  summary: 'Show the schema of a member of an image',
  policy: 'authenticated',
  response,
  handle: async () => memberDocument,
})

export const showMembersSchema = operation({
  id: 'image.schemas.members',
  method: 'GET',
  path: '/v2/schemas/members',
  summary: 'Show the schema of a list of members of an image',
  policy: 'authenticated',
  response,
  handle: async () => ({
    name: 'members',
    properties: { members: { type: 'array', items: memberDocument }, schema: { type: 'string' } },
    links: [{ rel: 'describedby', href: '{schema}' }],
  }),
})
