/** Everything behind a token, but the roles, in one statement: checking a token that the process does not know is common. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import type { Rows } from '#kernel/db/rows.ts'
import { type ApplicationCredentialRow, applicationCredentials } from '../application-credentials/store.ts'
import { type AccessTokenRow, accessTokens } from '../consumers/store.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import { type UserRow, users } from '../users/store.ts'

export interface Behind {
  /** Of identity, as it was when all this held. */
  generation: number
  user?: UserRow
  /** The user's domain, and project and domain of the scope. */
  projects: ProjectRow[]
  applicationCredential?: ApplicationCredentialRow
  accessToken?: AccessTokenRow
  /** The generation from which the user's tokens for the scope are good. */
  scope_after: number
  revoked: boolean
}

export interface BehindWhat {
  user_id: string
  /** Of a project or domain. */
  target_id: string | null
  scope: string
  application_credential_id: string | null
  access_token_id: string | null
  /** All that would revoke it. */
  revoking: [string, string]
}

type Columns<Row> = { [K in keyof Row]-?: true }

const projectColumns: Columns<ProjectRow> = {
  ...{ id: true, name: true, domain_id: true, parent_id: true, is_domain: true, enabled: true },
  ...{ description: true, tags: true, options: true, extra: true, tokens_after: true },
}
const userColumns: Columns<UserRow> = {
  ...{ id: true, name: true, domain_id: true, foreign_id: true, default_project_id: true, enabled: true },
  ...{ password_hash: true },
  ...{ password_changed_at: true, password_expires_at: true, password_self_set: true, last_active_at: true },
  ...{
    failed_logins: true,
    last_failed_login_at: true,
    options: true,
    extra: true,
    created_at: true,
    tokens_after: true,
  },
}
const credentialColumns: Columns<ApplicationCredentialRow> = {
  ...{ id: true, name: true, description: true, user_id: true, project_id: true, secret_hash: true, role_ids: true },
  ...{ access_rules: true, unrestricted: true, expires_at: true, expires_micros: true },
}
const accessTokenColumns: Columns<AccessTokenRow> = {
  ...{ id: true, consumer_id: true, project_id: true, encrypted_secret: true, user_id: true, role_ids: true },
  expires_at: true,
}

/** The columns of a table of the join, each with the table's letter in front. */
const named = (letter: string, columns: object) =>
  Object.keys(columns).map(column => `${letter}.${column} as ${letter}_${column}`)

const selected = sql.raw(
  [
    ...[named('u', userColumns), named('d', projectColumns), named('t', projectColumns), named('e', projectColumns)],
    ...[named('a', credentialColumns), named('x', accessTokenColumns)],
  ]
    .flat()
    .join(', '),
)

function rowOf<Row>(found: Record<string, unknown>, letter: string, columns: object, store: Rows<Row>): Row[] {
  if (found[`${letter}_id`] === null) return []
  const stored = Object.fromEntries(Object.keys(columns).map(column => [column, found[`${letter}_${column}`]]))
  return [store.decode(stored)]
}

export async function readBehind(db: Db, what: BehindWhat): Promise<Behind> {
  const [own, above] = what.revoking
  const { rows } = await sql<Record<string, unknown>>`
    select g.value as generation, s.tokens_after as scope_after, r.revoked, ${selected}
    from identity_generation g
    left join (select count(*) as revoked from identity_revoked_tokens where audit_id in (${own}, ${above})) r on 1 = 1
    left join identity_revoked_scopes s on s.user_id = ${what.user_id} and s.scope = ${what.scope}
    left join identity_users u on u.id = ${what.user_id}
    left join identity_projects d on d.id = u.domain_id
    left join identity_projects t on t.id = ${what.target_id}
    left join identity_projects e on e.id = t.domain_id
    left join identity_application_credentials a on a.id = ${what.application_credential_id}
    left join identity_access_tokens x on x.id = ${what.access_token_id}
  `.execute(db)
  const found = rows[0]!
  const [user] = rowOf(found, 'u', userColumns, users)
  const [applicationCredential] = rowOf(found, 'a', credentialColumns, applicationCredentials)
  const [accessToken] = rowOf(found, 'x', accessTokenColumns, accessTokens)
  return {
    generation: Number(found.generation),
    projects: ['d', 't', 'e'].flatMap(letter => rowOf(found, letter, projectColumns, projects)),
    scope_after: Number(found.scope_after ?? 0),
    revoked: Number(found.revoked) > 0,
    ...(user && { user }),
    ...(applicationCredential && { applicationCredential }),
    ...(accessToken && { accessToken }),
  }
}
