/** Users of identity providers as rows here: made at their first login, and brought up to date at each. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { type Assignment, assignments } from '../assignments/store.ts'
import { identityConfig } from '../config.ts'
import { countsAsSeen, isInactive } from '../password-rules.ts'
import { blankProject } from '../projects/project.ts'
import { projects } from '../projects/store.ts'
import { announce, identityChanged, revokeScope } from '../revocations/revocation.ts'
import { type UserRow, users } from '../users/store.ts'
import { blankUser } from '../users/user.ts'
import type { Grant, OpenWay, Person } from './mapped.ts'
import { federatedMemberships, federatedUsers } from './store.ts'

/** A transaction that moves identity's generation on only when something changes: most logins change nothing. */
interface Change {
  tx: Ctx
  changed(): Promise<number>
  generation: number | undefined
}

function changeIn(tx: Ctx): Change {
  const change: Change = {
    tx,
    generation: undefined,
    async changed() {
      change.generation ??= await identityChanged(tx)
      return change.generation
    },
  }
  return change
}

/** The user's id, and the generation of what was changed; undefined when nothing was. */
export async function shadowUser(
  ctx: Ctx,
  way: OpenWay,
  person: Person,
): Promise<{ user_id: string; generation: number | undefined }> {
  const work = () =>
    ctx.transaction(async tx => {
      const change = changeIn(tx)
      const user_id = await putUser(change, way, person)
      await putMemberships(change, way, user_id, person.group_ids)
      await putGrants(change, user_id, person.projects, way.mapping.schema_version === '3.0')
      return { user_id, generation: change.generation }
    })
  try {
    return await work()
  } catch (error) {
    // The same user, or project, was made by another login at the same time: now it is there.
    if (error instanceof UniqueViolation) return work()
    throw error
  }
}

async function putUser(change: Change, { idp_id, protocol_id }: OpenWay, person: Person): Promise<string> {
  const { tx } = change
  const { unique_id, name, email, domain_id } = person
  const link = await federatedUsers.find(tx.db, { idp_id, protocol_id, unique_id })
  if (link) {
    await refresh(change, (await users.find(tx.db, { id: link.user_id }))!, person)
    return link.user_id
  }
  const id = tx.ids.hex()
  const now = tx.clock.now()
  await users.insert(tx.db, {
    ...blankUser,
    id,
    name,
    domain_id,
    foreign_id: id,
    extra: email === undefined ? {} : { email },
    created_at: now,
    last_active_at: now,
  })
  await federatedUsers.insert(tx.db, { idp_id, protocol_id, unique_id, user_id: id })
  await change.changed()
  return id
}

/** What the provider says of its user now. */
async function refresh({ tx, changed }: Change, user: UserRow, { name, email }: Person): Promise<void> {
  // A user whom the API made beforehand keeps the name given there.
  if (user.foreign_id === '') return
  const isNew = name !== user.name || (email !== undefined && email !== user.extra.email)
  if ((!isNew && !countsAsSeen(tx, user)) || isInactive(tx, user)) return
  const extra = email === undefined ? user.extra : { ...user.extra, email }
  await users.update(tx.db, { id: user.id }, { name, extra, last_active_at: tx.clock.now() })
  if (isNew) await changed()
}

/** The groups of this login, and no others. Who loses one loses the tokens that it may have given rights to. */
async function putMemberships(
  { tx, changed }: Change,
  { provider }: OpenWay,
  user_id: string,
  wanted: readonly string[],
): Promise<void> {
  const { federation, token_lifetime_seconds } = tx.config.of(identityConfig)
  const minutes = provider.authorization_ttl ?? federation.authorization_minutes
  const valid_until = tx.clock.now() + Math.max(minutes * 60, token_lifetime_seconds) * 1000
  const held = new Set((await federatedMemberships.list(tx.db, { user_id })).map(row => row.group_id))
  const lost = [...held].filter(id => !wanted.includes(id))
  const won = wanted.filter(id => !held.has(id))
  if (lost.length > 0) {
    await federatedMemberships.remove(tx.db, { user_id, group_id: lost })
    await users.update(tx.db, { id: user_id }, { tokens_after: await changed() })
    await announce(tx, { user_id })
  }
  await federatedMemberships.update(tx.db, { user_id }, { valid_until })
  if (won.length === 0) return
  await federatedMemberships.insertMany(
    tx.db,
    won.map(group_id => ({ user_id, group_id, valid_until })),
  )
  await changed()
}

async function putGrants(change: Change, user_id: string, grants: readonly Grant[], isAll: boolean): Promise<void> {
  const { tx } = change
  const wanted: Assignment[] = []
  for (const grant of grants) {
    const target_id = await putProject(change, grant)
    for (const role_id of grant.role_ids) {
      wanted.push({
        ...{ actor_type: 'user', actor_id: user_id, target_type: 'project', target_id, role_id, inherited: false },
      })
    }
  }
  for (const one of wanted) {
    if (await assignments.insertNew(tx.db, one)) await change.changed()
  }
  if (!isAll) return
  const ofUser = { actor_type: 'user', actor_id: user_id, target_type: 'project' } as const
  for (const one of await assignments.list(tx.db, ofUser)) {
    if (wanted.some(other => other.target_id === one.target_id && other.role_id === one.role_id)) continue
    await assignments.remove(tx.db, { ...one })
    await revokeScope(tx, user_id, { type: 'project', id: one.target_id })
    await change.changed()
  }
}

async function putProject({ tx, changed }: Change, { name, domain_id }: Grant): Promise<string> {
  const found = await projects.find(tx.db, { domain_id, name })
  if (found) return found.id
  const id = tx.ids.hex()
  const place = { domain_id, parent_id: domain_id, is_domain: false }
  await projects.insert(tx.db, { ...blankProject, id, name, ...place, extra: {} })
  await changed()
  return id
}
