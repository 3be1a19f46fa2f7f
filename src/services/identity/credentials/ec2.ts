/** EC2 credentials of a user: pairs of an access and a secret key, for a project. */
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, texts } from '../answers.ts'
import { notFound } from '../faults.ts'
import { collectionOf, linkTo } from '../listing.ts'
import { adminOrSystemReader, adminRequired, identityRule, systemOrProject } from '../policy.ts'
import { findProject } from '../projects/project.ts'
import { users } from '../users/store.ts'
import { blobOf, checkDelegated, checkUnrestricted, delegationOf, ec2CredentialId, encrypted } from './credential.ts'
import { type CredentialRow, credentials } from './store.ts'

const answer = Type.Object({
  ...texts('user_id', 'tenant_id', 'access', 'secret', 'trust_id'),
  links: Type.Optional(linksAnswer),
})

const path = '/v3/users/{user_id}/credentials/OS-EC2'
const owner = 'user_id:%(target.credential.user_id)s'
const member = `${adminRequired} or (role:member and ${owner})`

interface Keys {
  access: string
  secret: string
  trust_id?: string | null
}

async function view(ctx: Ctx, row: CredentialRow) {
  const { access, secret, trust_id } = JSON.parse(await blobOf(ctx, row)) as Keys
  return {
    user_id: row.user_id,
    tenant_id: row.project_id,
    access,
    secret,
    trust_id: trust_id ?? null,
    links: linkTo(ctx, `users/${row.user_id}/credentials/OS-EC2/${access}`),
  }
}

async function mustHaveUser(ctx: Ctx, id: string): Promise<void> {
  if (!(await users.find(ctx.db, { id }))) throw notFound('user', id)
}

const create = operation({
  id: 'identity.ec2_credentials.create',
  method: 'POST',
  path,
  summary: 'Create an EC2 credential',
  response: oneOf('credential', answer),
  policy: identityRule('ec2_create_credential', member, systemOrProject),
  request: Type.Object({ tenant_id: Type.String({ minLength: 1, maxLength: 64 }) }),
  status: 201,
  load: async (_ctx, { params }) => ({ 'target.credential.user_id': params.user_id }),
  async handle(ctx, { params: { user_id }, body: { tenant_id } }) {
    checkUnrestricted(ctx)
    await mustHaveUser(ctx, user_id)
    await findProject(ctx, tenant_id)
    checkDelegated(ctx, tenant_id, 'EC2 credential')
    const keys = { access: ctx.ids.hex(), secret: ctx.ids.bytes(16).toString('hex'), ...delegationOf(ctx) }
    const row: CredentialRow = {
      id: ec2CredentialId(keys.access),
      type: 'ec2',
      user_id,
      project_id: tenant_id,
      encrypted_blob: await encrypted(ctx, JSON.stringify(keys)),
      extra: {},
    }
    await credentials.insert(ctx.db, row)
    return { credential: await view(ctx, row) }
  },
})

const list = operation({
  id: 'identity.ec2_credentials.list',
  method: 'GET',
  path,
  summary: 'List the EC2 credentials of a user',
  response: listOf('credentials', answer),
  policy: identityRule('ec2_list_credentials', `${adminOrSystemReader} or rule:owner`, systemOrProject),
  load: async (_ctx, { params }) => ({ user_id: params.user_id }),
  async handle(ctx, { params: { user_id }, url }) {
    await mustHaveUser(ctx, user_id)
    checkUnrestricted(ctx)
    const delegated = Object.keys(delegationOf(ctx)).length > 0
    const where = { user_id, type: 'ec2', ...(delegated && { project_id: ctx.identity.project_id ?? null }) }
    const found = await credentials.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
    return { credentials: await Promise.all(found.map(row => view(ctx, row))), links: collectionOf(ctx, url) }
  },
})

interface Params {
  user_id: string
  credential_id: string
}

/** Whose it would be is in the path: who may not see another's keys is not told which there are. */
const load = async (_ctx: Ctx, { params }: { params: Params }) => ({ 'target.credential.user_id': params.user_id })

/** The credential of the access key, which must be the path's user's. */
async function reached(ctx: Ctx, { user_id, credential_id }: Params): Promise<CredentialRow> {
  const id = ec2CredentialId(credential_id)
  const row = await credentials.find(ctx.db, { id })
  if (!row || row.user_id !== user_id) throw notFound('credential', id)
  if (row.type !== 'ec2') throw new Unauthorized('EC2 access key not found.')
  checkUnrestricted(ctx)
  checkDelegated(ctx, row.project_id, 'EC2 credential')
  return row
}

const show = operation({
  id: 'identity.ec2_credentials.show',
  method: 'GET',
  path: `${path}/{credential_id}`,
  summary: 'Show an EC2 credential',
  response: oneOf('credential', answer),
  policy: identityRule('ec2_get_credential', `${adminOrSystemReader} or ${owner}`, systemOrProject),
  load,
  handle: async (ctx, { params }) => ({ credential: await view(ctx, await reached(ctx, params)) }),
})

const remove = operation({
  id: 'identity.ec2_credentials.delete',
  method: 'DELETE',
  path: `${path}/{credential_id}`,
  summary: 'Delete an EC2 credential',
  policy: identityRule('ec2_delete_credential', member, systemOrProject),
  load,
  async handle(ctx, { params }) {
    const { id } = await reached(ctx, params)
    await credentials.remove(ctx.db, { id })
    return undefined
  },
})

export const ec2CredentialOperations = [create, list, show, remove]
