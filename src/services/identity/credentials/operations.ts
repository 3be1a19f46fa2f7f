/** Credentials: secrets that users keep for signing and one-time codes; encrypted at rest. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { Type } from '#kernel/schema/builders.ts'
import { rolesInScope } from '../assignments/assignment.ts'
import { expecting, forbiddenAction, notFound } from '../faults.ts'
import { linkTo } from '../listing.ts'
import { adminRequired, baseRules, systemReader } from '../policy.ts'
import { resource, type Values } from '../resource.ts'
import { users } from '../users/store.ts'
import { blobOf, checkDelegated, checkUnrestricted, delegationOf, ec2CredentialId, encrypted } from './credential.ts'
import { type CredentialRow, credentials } from './store.ts'

const adminRule = baseRules.find(rule => rule.name === 'admin_required')!
const ownerOf = 'user_id:%(target.credential.user_id)s'

/** The members of an EC2 blob, which must name an access key. */
function ec2Blob(blob: string): Record<string, unknown> & { access: string } {
  let value: unknown
  try {
    value = JSON.parse(blob)
  } catch {
    throw new BadRequest('Invalid blob in credential')
  }
  if (typeof value !== 'object' || value === null) throw expecting('blob', 'credential')
  const { access } = value as { access?: unknown }
  if (typeof access !== 'string') throw expecting('access', 'credential')
  return value as Record<string, unknown> & { access: string }
}

/** What an EC2 blob says about how it was delegated; no later change may touch it. */
const delegation = ['trust_id', 'app_cred_id', 'access_token_id', 'access_id']

async function blobFor(ctx: Ctx, values: Values, old?: CredentialRow): Promise<{ id?: string; blob: string }> {
  const blob = typeof values.blob === 'string' ? values.blob : JSON.stringify(values.blob)
  if (String(values.type ?? old?.type).toLowerCase() !== 'ec2') return { blob }
  const parsed = ec2Blob(blob)
  const before = old ? ec2Blob(await blobOf(ctx, old)) : parsed
  for (const key of delegation) {
    if (old ? parsed[key] !== before[key] : key !== 'access_id' && parsed[key] !== undefined) {
      throw new BadRequest(`${key} can not be updated for credential`)
    }
  }
  const by = delegationOf(ctx)
  const marked = !old && Object.keys(by).length > 0 ? JSON.stringify({ ...parsed, ...by }) : blob
  return { id: ec2CredentialId(parsed.access), blob: marked }
}

/** Delegated tokens stay within their project, and restricted ones away from secrets; nobody reaches into projects without a role. */
async function guard(ctx: Ctx, row: Partial<CredentialRow>): Promise<void> {
  const { project_id, user_id } = ctx.identity
  checkUnrestricted(ctx)
  checkDelegated(ctx, row.project_id)
  if (!row.project_id || row.project_id === project_id || ctx.can(adminRule) || ctx.identity.system_scope) return
  const held = await rolesInScope(ctx, user_id, { type: 'project', id: row.project_id })
  if (held.length === 0) throw forbiddenAction('identity:update_credential')
}

export const credentialResource = resource<CredentialRow>({
  member: 'credential',
  collection: 'credentials',
  store: credentials,
  attributes: {
    type: Type.String({ minLength: 1, maxLength: 255 }),
    user_id: Type.String({ minLength: 1, maxLength: 64 }),
    project_id: Type.Union([Type.String({ maxLength: 64 }), Type.Null()]),
    blob: Type.Union([Type.String({ maxLength: 65_536 }), Type.Object({})]),
  },
  required: ['type', 'user_id', 'blob'],
  filters: ['user_id', 'type'],
  policy: {
    get: `${adminRequired} or ${systemReader} or ${ownerOf}`,
    list: `${adminRequired} or ${systemReader} or ${ownerOf}`,
    create: `${adminRequired} or ${ownerOf}`,
    update: `${adminRequired} or ${ownerOf}`,
    delete: `${adminRequired} or ${ownerOf}`,
  },
  target: row => ({ 'target.credential.user_id': row.user_id }),
  listTarget: ctx => ({ 'target.credential.user_id': ctx.identity.user_id }),
  listOwn: true,
  guard,
  view: async (ctx, row) => ({
    ...row.extra,
    id: row.id,
    type: row.type,
    user_id: row.user_id,
    project_id: row.project_id,
    blob: await blobOf(ctx, row),
    links: linkTo(ctx, `credentials/${row.id}`),
  }),
  duplicate: () => 'Duplicate entry',

  async create(ctx, values, extra) {
    const user_id = String(values.user_id)
    if (!(await users.find(ctx.db, { id: user_id }))) throw notFound('user', user_id)
    const type = String(values.type)
    if (type.toLowerCase() === 'ec2' && typeof values.project_id !== 'string')
      throw expecting('project_id', 'credential')
    const { id, blob } = await blobFor(ctx, values)
    const row: CredentialRow = {
      id: id ?? ctx.ids.hex(),
      type,
      user_id,
      project_id: typeof values.project_id === 'string' ? values.project_id : null,
      encrypted_blob: await encrypted(ctx, blob),
      extra,
    }
    await credentials.insert(ctx.db, row)
    return row
  },

  async update(ctx, row, { blob, ...patch }) {
    if (blob === undefined) return patch as Partial<CredentialRow>
    const changed = await blobFor(ctx, { ...patch, blob }, row)
    return { ...(patch as Partial<CredentialRow>), encrypted_blob: await encrypted(ctx, changed.blob) }
  },
  async remove() {},
})
