/** Users: the five operations, changing one's password, and what a user belongs to. */

import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Unauthorized } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { notFound } from '../faults.ts'
import { adminRequired, systemReader } from '../policy.ts'
import { projects } from '../projects/store.ts'
import { resource, type Values } from '../resource.ts'
import { type UserRow, users } from './store.ts'
import { checkUserPassword, newPasswordHash, removeUserTraces, revokeUserTokens, userView } from './user.ts'

const text = Type.String({ maxLength: 255, minLength: 1 })
const password = Type.Union([Type.String({ maxLength: 4096 }), Type.Null()])
const manager = `${adminRequired} or (role:manager and domain_id:%(target.user.domain_id)s)`

/** The password's columns for a value that a client sent. */
async function passwordColumns(ctx: Ctx, sent: unknown): Promise<Partial<UserRow>> {
  const password_hash = typeof sent === 'string' ? await newPasswordHash(ctx, sent) : null
  return { password_hash, password_changed_at: ctx.clock.now(), failed_logins: 0 }
}

async function checkDefaultProject(ctx: Ctx, id: unknown): Promise<void> {
  const project = typeof id === 'string' ? await projects.find(ctx.db, { id }) : undefined
  if (project?.is_domain) throw new BadRequest(`User's default project ID cannot be a domain ID: ${id}`)
}

export const userResource = resource<UserRow>({
  member: 'user',
  collection: 'users',
  store: users,
  attributes: {
    name: text,
    domain_id: text,
    default_project_id: Type.Union([Type.String({ maxLength: 64 }), Type.Null()]),
    enabled: Type.Boolean(),
    password,
    options: Type.Object({}),
  },
  required: ['name'],
  fixed: ['domain_id'],
  filters: ['name', 'domain_id'],
  policy: {
    get: `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s`,
    list: `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.domain_id)s)`,
    create: manager,
    update: manager,
    delete: manager,
  },
  target: row => ({ 'target.user.id': row.id, 'target.user.domain_id': row.domain_id }),
  listed: ctx => (ctx.identity.domain_id ? { domain_id: ctx.identity.domain_id } : {}),
  view: userView,
  duplicate: values => `Duplicate entry found with name ${values.name} at domain ID ${values.domain_id}`,

  async create(ctx, values, extra) {
    const domain = await projects.find(ctx.db, { id: String(values.domain_id), is_domain: true })
    if (!domain) throw notFound('domain', String(values.domain_id))
    await checkDefaultProject(ctx, values.default_project_id)
    const { password, ...rest } = values
    const row: UserRow = {
      id: ctx.ids.hex(),
      name: '',
      domain_id: domain.id,
      default_project_id: null,
      enabled: true,
      password_hash: null,
      password_changed_at: null,
      failed_logins: 0,
      last_failed_login_at: null,
      options: {},
      created_at: ctx.clock.now(),
      tokens_after: 0,
      ...(password !== undefined && (await passwordColumns(ctx, password))),
      ...(rest as Partial<UserRow>),
      extra,
    }
    await users.insert(ctx.db, row)
    return row
  },

  async update(ctx, row, { password, ...patch }: Values, generation) {
    await checkDefaultProject(ctx, patch.default_project_id)
    const endsTokens = password !== undefined || (patch.enabled === false && row.enabled)
    return {
      ...(patch as Partial<UserRow>),
      ...(patch.options !== undefined && { options: { ...row.options, ...(patch.options as object) } }),
      ...(password !== undefined && (await passwordColumns(ctx, password))),
      ...(endsTokens && { tokens_after: generation }),
    }
  },

  remove: removeUserTraces,
})

export const changePassword = operation({
  id: 'identity.users.change_password',
  method: 'POST',
  path: '/v3/users/{id}/password',
  summary: 'Change the own password',
  // The old password is the proof.
  policy: 'public',
  request: Type.Object({
    user: Type.Object({
      original_password: Type.String({ maxLength: 4096 }),
      password: Type.String({ maxLength: 4096, minLength: 1 }),
    }),
  }),
  async handle(ctx, { params, body }) {
    const user = await users.find(ctx.db, { id: params.id })
    const right = await checkUserPassword(ctx, user, body.user.original_password)
    if (!right || !user?.enabled) throw new Unauthorized()
    const columns = await passwordColumns(ctx, body.user.password)
    await ctx.transaction(async tx => {
      await users.update(tx.db, { id: user.id }, columns)
      await revokeUserTokens(tx, user.id)
    })
    return undefined
  },
})

export const userOperations = [...userResource.operations, changePassword]
