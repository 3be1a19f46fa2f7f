/**
 * Users and groups of domains that have a directory: they are copied to the tables as they are seen, under ids that follow from what they
 * are called there, so that roles, tokens and lists work as for all others. What changes in the directory counts from the next refresh on.
 */
import { createHash } from 'node:crypto'
import { type Ctx, type Env, perCloud } from '#kernel/context.ts'
import { Forbidden, messageOf } from '#kernel/errors.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { identityConfig } from './config.ts'
import { unsealed } from './credentials/credential.ts'
import type { Directory, DirectoryGroup, DirectoryUser } from './directory/directory.ts'
import { type DirectoryEntryRow, directoryEntries } from './directory/store.ts'
import { domainOptions } from './domain-config/store.ts'
import { type GroupRow, groups, memberships } from './groups/store.ts'
import { ldapOptions } from './ldap-options.ts'
import { projects } from './projects/store.ts'
import { announce, identityChanged, perGeneration } from './revocations/revocation.ts'
import { type UserRow, users } from './users/store.ts'
import { blankUser } from './users/user.ts'

type Options = Record<string, unknown>

/** The LDAP options of each domain that has a directory, by the domain's id. */
const configured = perGeneration(async ctx => {
  const found = new Map<string, { driver: string; ldap: Options }>()
  const files = Object.entries(ctx.config.of(identityConfig).domain_configs)
  const named =
    files.length > 0 ? await projects.list(ctx.db, { is_domain: true, name: files.map(([name]) => name) }) : []
  for (const [name, { identity, ldap = {} }] of files) {
    const domain = named.find(one => one.name === name)
    if (domain) found.set(domain.id, { driver: identity?.driver ?? 'sql', ldap: { ...ldap } })
  }
  for (const { domain_id, group_name, option_name, value } of await domainOptions.list(ctx.db)) {
    const own = found.get(domain_id) ?? { driver: 'sql', ldap: {} }
    found.set(domain_id, own)
    const plain = 'plain' in value ? value.plain : await unsealed(ctx, value.sealed)
    if (group_name === 'identity' && option_name === 'driver') own.driver = String(plain)
    if (group_name === 'ldap') own.ldap[option_name] = plain
  }
  const withLdap = [...found].filter(([, { driver }]) => driver === 'ldap')
  return new Map(withLdap.map(([id, { ldap }]) => [id, ldapOptions(ldap)]))
})

const opened = perCloud(() => new Map<string, { key: string; directory: Promise<Directory> }>())

/** The directory of a domain; undefined when its users are here. */
export async function directoryOf(ctx: Ctx, domainId: string): Promise<Directory | undefined> {
  const options = (await configured(ctx)).get(domainId)
  if (!options) return undefined
  const key = JSON.stringify(options)
  const all = opened(ctx)
  const known = all.get(domainId)
  if (known?.key === key) return known.directory
  void known?.directory.then(old => old[Symbol.asyncDispose]())
  const { directory_timeout_seconds, directory_entries } = ctx.config.of(identityConfig)
  const bounds = { timeoutMs: directory_timeout_seconds * 1000, most: directory_entries, clock: ctx.clock }
  const directory = import('./directory/ldap.ts').then(ldap => ldap.ldapDirectory(options, bounds))
  all.set(domainId, { key, directory })
  return directory
}

/** Closes the connections. */
export async function closeDirectories(env: Env): Promise<void> {
  for (const { directory } of opened(env).values()) await (await directory)[Symbol.asyncDispose]()
  opened(env).clear()
}

/** Refuses changes of what is in a directory. */
export async function checkWritable(ctx: Ctx, domainId: string): Promise<void> {
  if ((await configured(ctx)).has(domainId)) throw new Forbidden('LDAP does not support write operations')
}

/** As upstream makes it, so that a cloud that comes from there keeps its ids. */
function idOf(domainId: string, kind: DirectoryEntryRow['kind'], localId: string): string {
  return createHash('sha256').update(domainId).update(kind).update(localId).digest('hex')
}

/** Most are known, and it is cheaper to look. */
async function noteEntry(ctx: Ctx, row: DirectoryEntryRow): Promise<void> {
  if (!(await directoryEntries.find(ctx.db, { id: row.id }))) await directoryEntries.insertNew(ctx.db, row)
}

type Copied = Pick<UserRow, 'id' | 'domain_id' | 'name' | 'enabled' | 'default_project_id' | 'extra'>

function isSame(row: UserRow, wanted: Copied): boolean {
  const { id, domain_id, name, enabled, default_project_id, extra } = row
  return JSON.stringify({ id, domain_id, name, enabled, default_project_id, extra }) === JSON.stringify(wanted)
}

/** Copies users; writes only what differs. Gives their rows, in the same order. */
export async function copyUsers(ctx: Ctx, domain_id: string, found: readonly DirectoryUser[]): Promise<UserRow[]> {
  const rows: UserRow[] = []
  for (const { local_id, name, enabled, default_project_id, extra } of found) {
    const id = idOf(domain_id, 'user', local_id)
    const wanted = { id, domain_id, name, enabled, default_project_id, extra }
    const known = await users.find(ctx.db, { id })
    if (known && isSame(known, wanted)) rows.push(known)
    else rows.push(await ctx.transaction(tx => putUser(tx, wanted, local_id)))
  }
  return rows
}

async function putUser(ctx: Ctx, wanted: Copied, local_id: string): Promise<UserRow> {
  // First: whoever else copies the user waits here, and then finds it done.
  const generation = await identityChanged(ctx)
  const { id, name, domain_id, enabled } = wanted
  const old = await users.find(ctx.db, { id })
  if (old && isSame(old, wanted)) return old
  await noteEntry(ctx, { id, domain_id, kind: 'user', local_id })
  // The name may be that of somebody who is called otherwise by now, and will be seen again.
  const other = await users.find(ctx.db, { domain_id, name, foreign_id: '' })
  if (other && other.id !== id) await forgetUser(ctx, other.id)
  // Of one who comes back, the tokens of before stay ended.
  const ends = !old || (old.enabled && !enabled)
  const values = { ...wanted, ...(ends && { tokens_after: generation }) }
  if (old) await users.update(ctx.db, { id }, values)
  else await users.insert(ctx.db, { ...blankUser, created_at: ctx.clock.now(), ...values })
  if (old && ends) await announce(ctx, { user_id: id })
  return (await users.find(ctx.db, { id }))!
}

/** The user is no longer there. What was given to it stays: it may come back. */
async function forgetUser(ctx: Ctx, id: string): Promise<void> {
  await identityChanged(ctx)
  await announce(ctx, { user_id: id })
  await memberships.remove(ctx.db, { user_id: id })
  await users.remove(ctx.db, { id })
}

export async function copyGroups(ctx: Ctx, domain_id: string, found: readonly DirectoryGroup[]): Promise<GroupRow[]> {
  const rows: GroupRow[] = []
  for (const { local_id, name, description } of found) {
    const id = idOf(domain_id, 'group', local_id)
    const row: GroupRow = { id, name, domain_id, description, extra: {} }
    const known = await groups.find(ctx.db, { id })
    rows.push(row)
    if (known && known.name === name && known.description === description) continue
    await ctx.transaction(async tx => {
      await identityChanged(tx)
      const old = await groups.find(tx.db, { id })
      await noteEntry(tx, { id, domain_id, kind: 'group', local_id })
      const other = await groups.find(tx.db, { domain_id, name })
      if (other && other.id !== id) await groups.remove(tx.db, { id: other.id })
      if (old) await groups.update(tx.db, { id }, row)
      else await groups.insert(tx.db, row)
    })
  }
  return rows
}

/** Makes the user a member of these groups and of no others. Leaving one ends the user's tokens. */
async function setGroups(ctx: Ctx, user_id: string, wanted: readonly string[]): Promise<void> {
  const differing = async ({ db }: Ctx) => {
    const now = (await memberships.list(db, { user_id })).map(one => one.group_id)
    return { left: now.filter(id => !wanted.includes(id)), joined: wanted.filter(id => !now.includes(id)) }
  }
  const seen = await differing(ctx)
  if (seen.left.length === 0 && seen.joined.length === 0) return
  await ctx.transaction(async tx => {
    const tokens_after = await identityChanged(tx)
    const { left, joined } = await differing(tx)
    await memberships.remove(tx.db, { user_id, group_id: left })
    for (const group_id of joined) await memberships.insert(tx.db, { user_id, group_id })
    if (left.length === 0) return
    await users.update(tx.db, { id: user_id }, { tokens_after })
    await announce(tx, { user_id })
  })
}

async function copyWithGroups(
  ctx: Ctx,
  directory: Directory,
  domainId: string,
  found: DirectoryUser,
): Promise<UserRow> {
  const [row] = await copyUsers(ctx, domainId, [found])
  const own = await copyGroups(ctx, domainId, await directory.groupsOf(found))
  await setGroups(
    ctx,
    row!.id,
    own.map(group => group.id),
  )
  return (await users.find(ctx.db, { id: row!.id }))!
}

/** Somebody who logs in, as the directory has it now. */
export interface SeenUser {
  row: UserRow
  isPassword(password: string): Promise<boolean>
}

/** Looks a user up in the directory, by name or by the id that it has here; undefined when it is not there. */
export async function seeUser(
  ctx: Ctx,
  directory: Directory,
  domainId: string,
  by: { name: string } | { id: string },
): Promise<SeenUser | undefined> {
  const found = 'name' in by ? await directory.user(by) : await seenById(ctx, directory, by.id)
  if (!found) return undefined
  const row = await copyWithGroups(ctx, directory, domainId, found)
  return { row, isPassword: password => directory.isPassword(found, password) }
}

async function seenById(ctx: Ctx, directory: Directory, id: string): Promise<DirectoryUser | undefined> {
  const entry = await directoryEntries.find(ctx.db, { id, kind: 'user' })
  return entry && (await directory.usersById([entry.local_id]))[0]
}

/** The domains that a list is about: the one, or all that have a directory. */
async function domainsOf(ctx: Ctx, domainId: string | undefined): Promise<string[]> {
  const all = [...(await configured(ctx)).keys()]
  return domainId === undefined ? all : all.filter(id => id === domainId)
}

/** Before users are listed: those of directories are copied. */
export async function copyForList(
  ctx: Ctx,
  kind: 'user' | 'group',
  asked: { domain_id?: string | undefined; name?: string | undefined },
): Promise<void> {
  for (const domainId of await domainsOf(ctx, asked.domain_id)) {
    const directory = await directoryOf(ctx, domainId)
    if (kind === 'user') await copyUsers(ctx, domainId, (await directory?.users(asked.name)) ?? [])
    else await copyGroups(ctx, domainId, (await directory?.groups(asked.name)) ?? [])
  }
}

/** Before the members of a group are listed: those that the directory names are copied, and the others leave. */
export async function copyMembers(ctx: Ctx, group: GroupRow): Promise<void> {
  const directory = await directoryOf(ctx, group.domain_id)
  if (!directory) return
  const found = (await directory.groups(group.name)).find(
    one => idOf(group.domain_id, 'group', one.local_id) === group.id,
  )
  if (!found) return
  const members = await directory.membersOf(found)
  const ids = (await copyUsers(ctx, group.domain_id, members)).map(row => row.id)
  const joining = async ({ db }: Ctx) => {
    const now = (await memberships.list(db, { group_id: group.id })).map(one => one.user_id)
    return ids.filter(id => !now.includes(id))
  }
  if ((await joining(ctx)).length === 0) return
  await ctx.transaction(async tx => {
    await identityChanged(tx)
    for (const user_id of await joining(tx)) await memberships.insert(tx.db, { group_id: group.id, user_id })
  })
}

/** Brings up to date what was copied of a directory: who is gone or closed there, and who is in which group. */
async function refresh(ctx: Ctx, domainId: string): Promise<void> {
  const directory = await directoryOf(ctx, domainId)
  const entries = await directoryEntries.list(ctx.db, { domain_id: domainId, kind: 'user' })
  const here = new Set((await users.pick(ctx.db, ['id'], { id: entries.map(entry => entry.id) })).map(row => row.id))
  const shown = entries.filter(entry => here.has(entry.id))
  if (!directory || shown.length === 0) return
  const found = await directory.usersById(shown.map(entry => entry.local_id))
  const rows = await copyUsers(ctx, domainId, found)
  const all = await directory.groups()
  await copyGroups(ctx, domainId, all)
  for (const [i, own] of (await directory.groupsOfAll(found, all)).entries()) {
    const ids = own.map(group => idOf(domainId, 'group', group.local_id))
    await setGroups(ctx, rows[i]!.id, ids)
  }
  const there = new Set(rows.map(row => row.id))
  for (const { id } of shown) if (!there.has(id)) await ctx.transaction(tx => forgetUser(tx, id))
}

export const refreshDirectories = reconciler({
  id: 'identity.directories',
  every: 60_000,
  async run(ctx) {
    for (const domainId of (await configured(ctx)).keys()) {
      try {
        await refresh(ctx, domainId)
      } catch (error) {
        // One server that does not answer keeps the others from nothing.
        ctx.log.warn({ domain_id: domainId, err: messageOf(error) }, 'a directory could not be read; it is asked again')
      }
    }
  },
})
