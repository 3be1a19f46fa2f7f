/** The tables of metadata definitions, with the agreed catalogue in them. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Migration, SchemaDb } from '#kernel/db/migrate.ts'

interface Entry {
  namespace: string
  display_name: string
  description: string
  protected: boolean
  resource_types: { name: string }[]
  properties: Record<string, object>
  objects: { name: string; properties: object }[]
}

export const metadefs: Migration = {
  name: '0002-metadefs',
  async up(db) {
    await db.schema
      .createTable('image_metadef_namespaces')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('namespace', 'text', c => c.notNull().unique())
      .addColumn('display_name', 'text')
      .addColumn('description', 'text')
      .addColumn('visibility', 'text', c => c.notNull())
      .addColumn('protected', 'integer', c => c.notNull())
      .addColumn('owner', 'text')
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createTable('image_metadef_parts')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('namespace_id', 'text', c => c.notNull())
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('key', 'text', c => c.notNull())
      .addColumn('body', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .addUniqueConstraint('image_metadef_parts_key', ['namespace_id', 'kind', 'key'])
      .execute()
    await db.schema
      .createTable('image_metadef_resource_types')
      .addColumn('name', 'text', c => c.primaryKey())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await fillCatalogue(db)
  },
}

const began = '2026-01-01T00:00:00.000Z'
const times = { created_at: began, updated_at: began }

/** The same in every cloud: a version 5 UUID of the name. */
function idOf(name: string): string {
  const digest = createHash('sha1').update(`nephos metadef ${name}`).digest()
  digest[6] = (digest[6]! & 0x0f) | 0x50
  digest[8] = (digest[8]! & 0x3f) | 0x80
  return digest
    .subarray(0, 16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** What clouds have agreed on, beside this file. Administrators may change it afterwards. */
async function fillCatalogue(db: SchemaDb): Promise<void> {
  const path = new URL('./0002-metadef-catalogue.json', import.meta.url)
  const entries = JSON.parse(readFileSync(path, 'utf8')) as Entry[]
  const namespaces = entries.map(({ namespace, display_name, description, ...entry }) => ({
    ...{ id: idOf(namespace), namespace, display_name, description },
    ...{ visibility: 'public', protected: Number(entry.protected), owner: 'admin', ...times },
  }))
  const parts = entries.flatMap(({ namespace, resource_types, properties, objects }) => {
    const part = (kind: string, name: string, body: object) => ({
      ...{ id: idOf(`${namespace} ${kind} ${name}`), namespace_id: idOf(namespace), kind, name, key: name },
      ...{ body: JSON.stringify(body), ...times },
    })
    return [
      ...resource_types.map(({ name, ...body }) => part('resource_type', name, body)),
      ...Object.entries(properties).map(([name, body]) => part('property', name, body)),
      ...objects.map(({ name, ...body }) => part('object', name, body)),
    ]
  })
  const types = new Set(entries.flatMap(entry => entry.resource_types.map(type => type.name)))
  await db.insertInto('image_metadef_namespaces').values(namespaces).execute()
  for (let i = 0; i < parts.length; i += 200)
    await db
      .insertInto('image_metadef_parts')
      .values(parts.slice(i, i + 200))
      .execute()
  const named = [...types].map(name => ({ name, ...times }))
  await db.insertInto('image_metadef_resource_types').values(named).execute()
}
