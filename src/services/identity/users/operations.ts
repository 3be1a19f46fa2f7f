/** Users: the five operations, changing one's password, and what a user belongs to. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Unauthorized } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { notFound } from '../faults.ts'
import { first } from '../listing.ts'
import { checkWritable, copyForList } from '../mirror.ts'
import { factorOptions } from '../options.ts'
import { checkOwnChange, checkShape, endOfPassword, keepFormer, passwordEnd } from '../password-rules.ts'
import { adminRequired, systemReader } from '../policy.ts'
import { projects } from '../projects/store.ts'
import { resource, type Values } from '../resource.ts'
import { announce, identityChanged } from '../revocations/revocation.ts'
import { federatedFilter, federatedOf, federatedSchema, putFederated } from './federated.ts'
import { type UserRow, users } from './store.ts'
import { blankUser, checkUserPassword, newPasswordHash, removeUserTraces, userView } from './user.ts'

const text = Type.String({ maxLength: 255, minLength: 1 })
const password = Type.Union([Type.String({ maxLength: 4096 }), Type.Null()])
const manager = `${adminRequired} or (role:manager and domain_id:%(target.user.domain_id)s)`

/** The password's columns for a value that a client sent. */
async function passwordColumns(
  ctx: Ctx,
  sent: unknown,
  by: 'user' | 'admin',
  options: UserRow['options'],
): Promise<Partial<UserRow>> {
  const isSet = typeof sent === 'string'
  if (isSet) checkShape(ctx, sent)
  return {
    password_hash: isSet ? await newPasswordHash(ctx, sent) : null,
    password_changed_at: ctx.clock.now(),
    password_expires_at: isSet ? passwordEnd(ctx, options, by) : null,
    password_self_set: by === 'user',
    failed_logins: 0,
  }
}

const flag = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))
const options = Type.Object(
  {
    ignore_change_password_upon_first_use: flag,
    ignore_password_expiry: flag,
    ignore_lockout_failure_attempts: flag,
    ignore_user_inactivity: flag,
    lock_password: flag,
    multi_factor_auth_enabled: flag,
    ...factorOptions,
  },
  { additionalProperties: false },
)

const comparisons: Record<string, (end: number, asked: number) => boolean> = {
  lt: (end, asked) => end < asked,
  lte: (end, asked) => end <= asked,
  gt: (end, asked) => end > asked,
  gte: (end, asked) => end >= asked,
  eq: (end, asked) => end === asked,
  neq: (end, asked) => end !== asked,
}

/** `password_expires_at=lt:2026-01-31T12:00:00Z`, on the seconds. */
function endMeets(query: Values, row: UserRow): boolean {
  const asked = first(query.password_expires_at as string | undefined)
  if (asked === undefined) return true
  const [, name, time] = /^(?:(\w+):)?(\d{4}-.*)$/.exec(asked) ?? []
  const compare = comparisons[name ?? 'eq']
  const at = Date.parse(time ?? '')
  if (!compare || Number.isNaN(at)) throw new BadRequest(`Malformed password_expires_at: ${asked}`)
  const end = endOfPassword(row)
  return end !== null && compare(Math.floor(end / 1000), Math.floor(at / 1000))
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
    options,
    federated: federatedSchema,
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
  listed: async (ctx, query) => ({
    ...(ctx.identity.domain_id ? { domain_id: ctx.identity.domain_id } : {}),
    ...(await federatedFilter(ctx, query)),
  }),
  more: (ctx, row) => federatedOf(ctx, row.id),
  bringIn: (ctx, asked) => copyForList(ctx, 'user', asked),
  keep: endMeets,
  view: userView,
  duplicate: values => `Duplicate entry found with name ${values.name} at domain ID ${values.domain_id}`,

  async create(ctx, values, extra) {
    const domain = await projects.find(ctx.db, { id: String(values.domain_id), is_domain: true })
    if (!domain) throw notFound('domain', String(values.domain_id))
    await checkWritable(ctx, domain.id)
    await checkDefaultProject(ctx, values.default_project_id)
    const { password, federated, ...rest } = values
    const chosen = (rest.options ?? {}) as UserRow['options']
    const row: UserRow = {
      ...blankUser,
      id: ctx.ids.hex(),
      name: '',
      domain_id: domain.id,
      created_at: ctx.clock.now(),
      ...(password !== undefined && (await passwordColumns(ctx, password, 'admin', chosen))),
      ...(rest as Partial<UserRow>),
      options: chosen,
      extra,
    }
    await users.insert(ctx.db, row)
    if (federated !== undefined) await putFederated(ctx, row.id, federated as Static<typeof federatedSchema>)
    return row
  },

  async update(ctx, row, { password, federated, ...patch }: Values, generation) {
    await checkWritable(ctx, row.domain_id)
    if (federated !== undefined) await putFederated(ctx, row.id, federated as Static<typeof federatedSchema>)
    await checkDefaultProject(ctx, patch.default_project_id)
    const closes = patch.enabled === false && row.enabled
    const endsTokens = password !== undefined || federated !== undefined || closes
    const chosen = (patch.options ?? row.options) as UserRow['options']
    if (endsTokens) await announce(ctx, { user_id: row.id })
    if (password !== undefined) await keepFormer(ctx, row, generation)
    return {
      ...(patch as Partial<UserRow>),
      options: chosen,
      ...(password !== undefined && (await passwordColumns(ctx, password, 'admin', chosen))),
      ...(patch.enabled === true && { failed_logins: 0, last_failed_login_at: null, last_active_at: ctx.clock.now() }),
      ...(endsTokens && { tokens_after: generation }),
    }
  },

  async remove(ctx, row) {
    await checkWritable(ctx, row.domain_id)
    await removeUserTraces(ctx, row)
  },
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
    if (user) await checkWritable(ctx, user.domain_id)
    const right = await checkUserPassword(ctx, user, body.user.original_password)
    if (!right || !user?.enabled) throw new Unauthorized()
    checkShape(ctx, body.user.password)
    await checkOwnChange(ctx, user, body.user.password)
    const columns = await passwordColumns(ctx, body.user.password, 'user', user.options)
    await ctx.transaction(async tx => {
      const tokens_after = await identityChanged(tx)
      await keepFormer(tx, user, tokens_after)
      await users.update(tx.db, { id: user.id }, { ...columns, tokens_after })
      await announce(tx, { user_id: user.id })
    })
    return undefined
  },
})

export const userOperations = [...userResource.operations, changePassword]
