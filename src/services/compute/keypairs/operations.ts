/** Key pairs: list, show, import or generate, delete. */
import type { Ctx } from '#kernel/context.ts'
import { lock, UniqueViolation } from '#kernel/db/database.ts'
import { Conflict, NotFound, OverQuota } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { byVersion, since } from '#kernel/schema/marks.ts'
import { afterMarker, body, linksSchema, naiveTime, pageQuery, paging } from '../dialect.ts'
import { quotaLimits, within } from '../quotas/quota.ts'
import { tellKeypair } from '../resource-events.ts'
import { generateCertificate } from './certificate.ts'
import { fingerprintOf, generateSshKey, type KeypairRow } from './keypair.ts'
import { keypairs, newKeypairs } from './store.ts'

const ownerOrAdmin = `${admin} or user_id:%(user_id)s`
const rules = {
  index: rule('os_compute_api:os-keypairs:index', ownerOrAdmin),
  show: rule('os_compute_api:os-keypairs:show', ownerOrAdmin),
  create: rule('os_compute_api:os-keypairs:create', ownerOrAdmin),
  delete: rule('os_compute_api:os-keypairs:delete', ownerOrAdmin),
}

const basicFields = {
  name: Type.String(),
  public_key: Type.String(),
  fingerprint: Type.String(),
  type: since('2.2', Type.String()),
}

function basicView({ name, public_key, fingerprint, type }: KeypairRow) {
  return { name, public_key, fingerprint, type }
}

const userQuery = { user_id: Type.Optional(Type.String()) }
const ofUser = byVersion(
  {
    '2.1': Type.Object({}),
    '2.10': Type.Object(userQuery),
    '2.75': Type.Object(userQuery, { additionalProperties: false }),
  },
  Type.Object(userQuery),
)
const listFields = { ...userQuery, ...pageQuery }
const listQuery = byVersion(
  {
    '2.1': Type.Object({}),
    '2.10': Type.Object(userQuery),
    '2.35': Type.Object(listFields),
    '2.75': Type.Object(listFields, { additionalProperties: false }),
  },
  Type.Object(listFields),
)

/** Whose key pairs are meant: another user's from 2.10 on. */
function ownerOf(ctx: Ctx, asked: { user_id?: string }): string {
  return (ctx.atLeast('2.10') && asked.user_id) || ctx.identity.user_id
}

/** The policy's target, from the query. */
const loadOwner = async (ctx: Ctx, { query }: { query: unknown }) => ({
  user_id: ownerOf(ctx, query as { user_id?: string }),
})

async function keypairOf(ctx: Ctx, user_id: string, name: string): Promise<KeypairRow> {
  const row = await keypairs.find(ctx.db, { user_id, name })
  if (row) return row
  throw new NotFound(`Keypair ${name} not found for user ${user_id}`)
}

const list = operation({
  id: 'compute.keypairs.list',
  method: 'GET',
  path: '/v2.1/os-keypairs',
  summary: 'List key pairs',
  policy: rules.index,
  query: listQuery,
  response: Type.Object({
    keypairs: Type.Array(body('keypair', Type.Object(basicFields))),
    keypairs_links: since('2.35', linksSchema),
  }),
  load: loadOwner,
  async handle(ctx, { query, url, target }) {
    const asked = ctx.atLeast('2.35') ? query : {}
    const page = paging(ctx, asked.limit)
    const after = await afterMarker(asked.marker, name => keypairs.find(ctx.db, { user_id: target.user_id, name }))
    const found = await keypairs.list(
      ctx.db,
      { user_id: target.user_id },
      {
        orderBy: [{ column: 'name', direction: 'asc' }],
        ...(ctx.atLeast('2.35') && { limit: page.limit }),
        ...after,
      },
    )
    return {
      keypairs: found.map(row => ({ keypair: basicView(row) })),
      ...page.links('keypairs_links', url, found.length, found.at(-1)?.name),
    }
  },
})

const show = operation({
  id: 'compute.keypairs.show',
  method: 'GET',
  path: '/v2.1/os-keypairs/{keypair_name}',
  summary: 'Show a key pair',
  policy: rules.show,
  query: ofUser,
  response: body(
    'keypair',
    Type.Object({
      ...basicFields,
      user_id: Type.String(),
      id: Type.Integer(),
      created_at: Type.String(),
      deleted: Type.Boolean(),
      deleted_at: Type.Null(),
      updated_at: Type.Null(),
    }),
  ),
  load: loadOwner,
  async handle(ctx, { params, target }) {
    const row = await keypairOf(ctx, target.user_id, params.keypair_name)
    return {
      keypair: {
        ...basicView(row),
        user_id: row.user_id,
        id: row.id,
        created_at: naiveTime(row.created_at),
        deleted: false,
        deleted_at: null,
        updated_at: null,
      },
    }
  },
})

const keyName = (pattern: string) => Type.String({ minLength: 1, maxLength: 255, format: 'name', pattern })
const publicKey = Type.String({ maxLength: 65_535 })

const newKeypair = Type.Object(
  {
    name: byVersion({ '2.1': keyName('^[_\\- a-zA-Z0-9]+$') }, keyName('^[_\\-@. a-zA-Z0-9]+$')),
    type: since('2.2', Type.Unsafe<'ssh' | 'x509'>({ type: 'string', enum: ['ssh', 'x509'] })),
    public_key: Type.Optional(publicKey),
    user_id: since('2.10', Type.String()),
  },
  { additionalProperties: false },
)

/** From 2.92 on names may hold more characters, and keys are no longer made here. */
const request = byVersion(
  {
    '2.1': body('keypair', newKeypair),
    '2.92': body(
      'keypair',
      Type.Object(
        {
          ...newKeypair.properties,
          name: keyName('^[_\\-@. a-zA-Z0-9]+$'),
          public_key: publicKey,
        },
        { additionalProperties: false },
      ),
    ),
  },
  body('keypair', newKeypair),
)

async function keysFor(ctx: Ctx, type: KeypairRow['type'], user: string, given: string | undefined) {
  if (given !== undefined) return { public_key: given }
  return type === 'ssh' ? generateSshKey() : generateCertificate(user, ctx.clock.now())
}

const create = operation({
  id: 'compute.keypairs.create',
  method: 'POST',
  path: '/v2.1/os-keypairs',
  summary: 'Import or generate a key pair',
  policy: 'authenticated',
  request,
  response: body(
    'keypair',
    Type.Object({ ...basicFields, user_id: Type.String(), private_key: Type.Optional(Type.String()) }),
  ),
  async handle(ctx, { body: { keypair } }) {
    const user_id = ownerOf(ctx, keypair)
    ctx.enforce(rules.create, { user_id })
    const type = keypair.type ?? 'ssh'
    const keys = await keysFor(ctx, type, user_id, keypair.public_key)
    const row = {
      user_id,
      name: keypair.name.trim(),
      type,
      public_key: keys.public_key,
      fingerprint: fingerprintOf(type, keys.public_key),
      created_at: new Date(ctx.clock.now()).toISOString(),
    }
    await insert(ctx, row, 'private_key' in keys ? 'create' : 'import')
    const shown = { ...basicView({ ...row, id: 0 }), user_id }
    const private_key = 'private_key' in keys ? { private_key: keys.private_key } : {}
    return reply({ keypair: { ...shown, ...private_key } }, { status: ctx.atLeast('2.2') ? 201 : 200 })
  },
})

async function insert(ctx: Ctx, row: Omit<KeypairRow, 'id'>, action: 'create' | 'import'): Promise<void> {
  try {
    await ctx.transaction(async tx => {
      await lock(tx.db, tx.database.engine, `compute keypairs ${row.user_id}`)
      const limits = await quotaLimits(tx, ctx.identity.project_id ?? '', row.user_id)
      if (!within(limits.key_pairs, await keypairs.count(tx.db, { user_id: row.user_id })))
        throw new OverQuota('Quota exceeded, too many key pairs.')
      await newKeypairs.insert(tx.db, row)
      await tellKeypair(tx, action, row)
    })
  } catch (error) {
    if (error instanceof UniqueViolation) throw new Conflict(`Key pair '${row.name}' already exists.`)
    throw error
  }
}

const remove = operation({
  id: 'compute.keypairs.delete',
  method: 'DELETE',
  path: '/v2.1/os-keypairs/{keypair_name}',
  summary: 'Delete a key pair',
  policy: rules.delete,
  query: ofUser,
  load: loadOwner,
  async handle(ctx, { params, target }) {
    const row = await keypairOf(ctx, target.user_id, params.keypair_name)
    await ctx.transaction(async tx => {
      await keypairs.remove(tx.db, { id: row.id })
      await tellKeypair(tx, 'delete', row)
    })
    return reply(undefined, { status: ctx.atLeast('2.2') ? 204 : 202 })
  },
})

export const keypairOperations: Operation[] = [list, show, create, remove]
export const keypairRules = [rules.create]
