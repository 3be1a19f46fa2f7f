/** Servers' software in the database, beside the servers' own rows. */
import type { Ctx } from '#kernel/context.ts'
import { type Db, lock } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { Conflict } from '#kernel/errors.ts'
import { cellDatabases, lastCellOf } from '../store-cells.ts'
import { digestOf, hasGone, type PackageRow, type SoftwareRequest, type SoftwareRow } from './software.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_server_software: SoftwareRow
    compute_server_packages: PackageRow
  }
}

const software = rows<SoftwareRow>('compute_server_software')
const packages = rows<PackageRow>('compute_server_packages', { bool: ['wanted'] })

const byName = { orderBy: [{ column: 'name' as const, direction: 'asc' as const }] }
const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

async function dbOf(ctx: Ctx, id: string): Promise<Db> {
  const db = await lastCellOf(ctx, id)
  if (!db) throw new Error(`server ${id} is gone`)
  return db
}

export async function softwareOf(ctx: Ctx, id: string): Promise<SoftwareRow | undefined> {
  const db = await lastCellOf(ctx, id)
  return db && software.find(db, { server_id: id })
}

export async function packagesOf(ctx: Ctx, id: string): Promise<PackageRow[]> {
  const db = await lastCellOf(ctx, id)
  return db ? packages.list(db, { server_id: id }, byName) : []
}

/** Packages that are to go, each a step of a run: as many as three requests name. */
const mostLeaving = 300

/** A new request in place of the one before: what it does not name any more is to go. Its manifest is kept sealed. */
export async function replaceSoftware(
  ctx: Ctx,
  id: string,
  { driver, packages: wanted, manifest }: SoftwareRequest,
): Promise<void> {
  const db = await dbOf(ctx, id)
  // Of two requests at once the second takes the place of the first.
  await lock(db, ctx.database.engine, `compute/software/${id}`)
  const at = now(ctx)
  const sealed = manifest === null ? null : await ctx.services.identity.sealed(ctx, manifest)
  const before = await software.find(db, { server_id: id })
  const known = new Map((await packages.list(db, { server_id: id })).map(row => [row.name, row]))
  await software.remove(db, { server_id: id })
  await software.insert(db, {
    ...{ server_id: id, driver, manifest: sealed, manifest_sha256: manifest === null ? null : digestOf(manifest) },
    ...{ status: 'waiting', run: null, message: null, created_at: before?.created_at ?? at, updated_at: at },
  })
  const asked = wanted.map(({ name, version }) => {
    const had = known.get(name)
    return newPackage(id, { name, version, at, had: had?.version ?? null })
  })
  const leaving = [...known.values()]
    .filter(row => !hasGone(row) && !wanted.some(({ name }) => name === row.name))
    .map(row => ({ ...row, wanted: false, message: null, updated_at: at }))
  if (leaving.length > mostLeaving)
    throw new Conflict(
      `${leaving.length} packages of earlier requests would still have to go, and at most ${mostLeaving} may: name some of them, or wait until they are gone.`,
    )
  await packages.remove(db, { server_id: id })
  await packages.insertMany(db, [...asked, ...leaving])
}

interface NewPackage {
  name: string
  version: string | null
  at: string
  had: string | null
}

const newPackage = (server_id: string, { name, version, at, had }: NewPackage): PackageRow => ({
  ...{ server_id, name, wanted: true, wanted_version: version, state: 'wanted', version: had },
  ...{ message: null, updated_at: at },
})

export async function updateSoftware(
  ctx: Ctx,
  id: string,
  patch: Partial<SoftwareRow>,
  expected: Partial<SoftwareRow> = {},
): Promise<boolean> {
  const db = await lastCellOf(ctx, id)
  if (!db) return false
  return (await software.update(db, { ...expected, server_id: id }, { updated_at: now(ctx), ...patch })) > 0
}

export async function updatePackage(ctx: Ctx, id: string, name: string, patch: Partial<PackageRow>): Promise<void> {
  const db = await lastCellOf(ctx, id)
  if (db) await packages.update(db, { server_id: id, name }, { updated_at: now(ctx), ...patch })
}

/** Whatever had not ended has failed, for this reason. */
export async function failWanted(ctx: Ctx, id: string, names: readonly string[], message: string): Promise<void> {
  for (const name of names) await updatePackage(ctx, id, name, { state: 'failed', message })
}

/** A guest that was made anew has nothing of it: all is wanted again, once it runs. */
export async function wantAllAgain(ctx: Ctx, id: string): Promise<boolean> {
  const db = await lastCellOf(ctx, id)
  if (!db || !(await updateSoftware(ctx, id, { status: 'waiting', run: null, message: null }))) return false
  await packages.remove(db, { server_id: id, wanted: false })
  await packages.update(db, { server_id: id }, { state: 'wanted', version: null, message: null, updated_at: now(ctx) })
  return true
}

/** Servers whose run waits until they are active. */
export async function waitingForRuns(ctx: Ctx): Promise<string[]> {
  const found = await Promise.all(
    cellDatabases(ctx.cells).map(db => software.pick(db, ['server_id'], { status: 'waiting' })),
  )
  return found.flat().map(row => row.server_id)
}

export async function removeSoftware(db: Db, id: string): Promise<void> {
  // Most servers have none, and without it there are no packages.
  if ((await software.remove(db, { server_id: id })) > 0) await packages.remove(db, { server_id: id })
}
