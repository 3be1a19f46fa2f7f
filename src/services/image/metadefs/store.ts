/** Rows of metadata definitions: namespaces, what they define, and the resource types that they are about. */
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface NamespaceRow {
  id: string
  namespace: string
  display_name: string | null
  description: string | null
  /** public, private */
  visibility: string
  protected: boolean
  owner: string | null
  created_at: string
  updated_at: string
}

export type Kind = 'object' | 'property' | 'tag' | 'resource_type'

/** One thing that a namespace defines. */
export interface PartRow {
  id: string
  namespace_id: string
  kind: Kind
  name: string
  /** What is unique among the parts of its kind: the name, of tags in small letters. */
  key: string
  body: Record<string, unknown>
  created_at: string
  updated_at: string
}

export interface ResourceTypeRow {
  name: string
  created_at: string
  updated_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_metadef_namespaces: NamespaceRow
    image_metadef_parts: PartRow
    image_metadef_resource_types: ResourceTypeRow
  }
}

export const namespaces = rows<NamespaceRow>('image_metadef_namespaces', { bool: ['protected'] })
export const parts = rows<PartRow>('image_metadef_parts', { json: ['body'] })
export const resourceTypes = rows<ResourceTypeRow>('image_metadef_resource_types')

/** Remembers a resource type; one that is known stays as it is. */
export async function rememberResourceType(db: Db, row: ResourceTypeRow): Promise<void> {
  await db
    .insertInto('image_metadef_resource_types')
    .values(row)
    .onConflict(c => c.doNothing())
    .execute()
}

export interface NamespacePage {
  /** Only those that everyone sees and those of this project; undefined: all. */
  seenBy: string | undefined
  visibility: string | undefined
  /** Only those about one of these resource types. */
  resourceTypes: string[] | undefined
  orderBy: { column: keyof NamespaceRow; direction: 'asc' | 'desc' }[]
  limit: number
  after: NamespaceRow | undefined
}

export function selectNamespaces(db: Db, page: NamespacePage): Promise<NamespaceRow[]> {
  const { seenBy, visibility, orderBy, limit, after } = page
  return namespaces.list(
    db,
    { visibility },
    {
      orderBy,
      limit,
      ...(after && { after }),
      also: eb =>
        eb.and([
          ...(seenBy === undefined ? [] : [eb.or([eb('visibility', '=', 'public'), eb('owner', '=', seenBy)])]),
          ...(page.resourceTypes
            ? [
                eb.exists(
                  eb
                    .selectFrom('image_metadef_parts')
                    .select('id')
                    .whereRef('image_metadef_parts.namespace_id', '=', 'image_metadef_namespaces.id')
                    .where('image_metadef_parts.kind', '=', 'resource_type')
                    .where('image_metadef_parts.name', 'in', page.resourceTypes),
                ),
              ]
            : []),
        ]),
    },
  )
}
