/** Rows of custom resource classes. The standard ones are a list in the code. */
import { rows } from '#kernel/db/rows.ts'

export interface ResourceClassRow {
  name: string
  created_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    placement_resource_classes: ResourceClassRow
  }
}

export const customClasses = rows<ResourceClassRow>('placement_resource_classes')
