/** Servers' software in the database, beside the servers' own rows. */
import { type SqlBool, sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { type Db, lock } from '#kernel/db/database.ts'
import { rows, type Where } from '#kernel/db/rows.ts'
import { Conflict } from '#kernel/errors.ts'
import { powerStates } from '../../host-agent.ts'
import { cellDatabases, lastCellOf } from '../store-cells.ts'
import { notSilent } from './silence.ts'
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
    ...notSilent,
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
  expected: Where<SoftwareRow> = {},
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
  if (!db || !(await updateSoftware(ctx, id, { status: 'waiting', run: null, message: null, ...notSilent })))
    return false
  await packages.remove(db, { server_id: id, wanted: false })
  await packages.update(db, { server_id: id }, { state: 'wanted', version: null, message: null, updated_at: now(ctx) })
  return true
}

/** Of a server (`s`) that runs and is at rest, and something that waits for its agent (`w`): whether that is asked now. */
export const mayBeAsked = (now: string) => sql<SqlBool>`
  s.task_state is null and (s.vm_state = 'active' or (s.vm_state = 'resized' and s.power_state = ${powerStates.running}))
  and (w.silent_at is null or w.ask_at <= ${now} or s.updated_at > w.silent_at)`

/** Whose agent was silent before what has happened to the server. */
export const hasNews = sql<number | boolean>`coalesce(s.updated_at > w.silent_at, false)`

export interface DueRun {
  id: string
  project_id: string
  user_id: string
  /** Of the row as it was found. */
  run: string | null
  has_news: boolean
}

/** Runs that wait until their server is active, or for an agent that was silent. */
export async function dueRuns(ctx: Ctx): Promise<DueRun[]> {
  const found = await Promise.all(
    cellDatabases(ctx.cells).map(db =>
      sql<Omit<DueRun, 'has_news'> & { has_news: number | boolean }>`
        select s.id, s.project_id, s.user_id, w.run, ${hasNews} as has_news
        from compute_server_software w join compute_servers s on s.id = w.server_id
        where (w.status = 'waiting' or w.silent_at is not null) and w.status <> 'running' and ${mayBeAsked(now(ctx))}`.execute(
        db,
      ),
    ),
  )
  return found.flatMap(({ rows }) => rows.map(row => ({ ...row, has_news: Boolean(row.has_news) })))
}

export async function removeSoftware(db: Db, id: string): Promise<void> {
  // Most servers have none, and without it there are no packages.
  if ((await software.remove(db, { server_id: id })) > 0) await packages.remove(db, { server_id: id })
}
