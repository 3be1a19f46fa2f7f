/** Rows of image members: projects that a shared image is shared with. */
import { rows } from '#kernel/db/rows.ts'

export interface MemberRow {
  image_id: string
  member_id: string
  status: string
  created_at: string
  updated_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_members: MemberRow
  }
}

export const members = rows<MemberRow>('image_members')
