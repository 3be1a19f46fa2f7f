/** Tags of servers. */
import type { Expression, SqlBool } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { type AnyBuilder, rows } from '#kernel/db/rows.ts'
import { cellDatabases, cellOf } from './store-cells.ts'

interface TagRow {
  server_id: string
  tag: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_server_tags: TagRow
  }
}

export const tags = rows<TagRow>('compute_server_tags')

/** In alphabetical order. */
export async function tagsOf(ctx: Ctx, id: string): Promise<string[]> {
  const found = await Promise.all(
    cellDatabases(ctx.cells).map(db =>
      tags.list(db, { server_id: id }, { orderBy: [{ column: 'tag', direction: 'asc' }] }),
    ),
  )
  return found.flat().map(row => row.tag)
}

export async function setTags(ctx: Ctx, id: string, names: string[]): Promise<void> {
  const db = await cellOf(ctx, id)
  if (!db) return
  await tags.remove(db, { server_id: id })
  await tags.insertMany(
    db,
    names.map(tag => ({ server_id: id, tag })),
  )
}

/** Servers by tags: with all, with any, without all, without any of them. */
export function tagCondition(
  eb: AnyBuilder,
  kind: 'tags' | 'tags-any' | 'not-tags' | 'not-tags-any',
  names: string[],
): Expression<SqlBool> {
  const tagged = eb.selectFrom('compute_server_tags').select('server_id').where('tag', 'in', names)
  const all = tagged.groupBy('server_id').having(eb.fn.count('tag'), '=', new Set(names).size)
  switch (kind) {
    case 'tags':
      return eb('id', 'in', all)
    case 'tags-any':
      return eb('id', 'in', tagged)
    case 'not-tags':
      return eb('id', 'not in', all)
    case 'not-tags-any':
      return eb('id', 'not in', tagged)
  }
}
