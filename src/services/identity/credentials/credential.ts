/** Credentials at rest, and who may reach them by a token that was delegated. */
import { createHash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { forbiddenAction } from '../faults.ts'
import { open, seal } from '../fernet.ts'
import { keysFor } from '../keys/key.ts'
import type { CredentialRow } from './store.ts'

export async function encrypted(ctx: Ctx, blob: string): Promise<string> {
  const [key] = await keysFor(ctx, 'credential')
  return seal(key!, Buffer.from(blob), Math.floor(ctx.clock.now() / 1000), ctx.ids.bytes(16))
}

/** What `encrypted` made, as it was. */
export async function unsealed(ctx: Ctx, ciphertext: string): Promise<string> {
  const opened = open(await keysFor(ctx, 'credential'), ciphertext)
  if (!opened) throw new Error('A secret was encrypted with a key that is gone: restore the table of keys.')
  return opened.plain.toString()
}

export function blobOf(ctx: Ctx, row: CredentialRow): Promise<string> {
  return unsealed(ctx, row.encrypted_blob)
}

/** The id of an EC2 credential follows from its access key. */
export function ec2CredentialId(access: string): string {
  return createHash('sha256').update(access).digest('hex')
}

/** What a new EC2 credential says of how its maker's token was delegated: it is good no longer than that. */
export function delegationOf({ identity }: Ctx): Record<string, string> {
  const { trust_id, application_credential_id: app_cred_id, access_token_id } = identity
  return Object.fromEntries(
    Object.entries({ trust_id, app_cred_id, access_token_id }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )
}

/** Restricted application credentials make no other secrets. */
export function checkUnrestricted({ identity }: Ctx): void {
  const { application_credential_id, application_credential_unrestricted } = identity
  if (application_credential_id === undefined || application_credential_unrestricted === true) return
  throw forbiddenAction("Using method 'application_credential' is not allowed for managing additional credentials.")
}

/** A delegated token reaches the credentials of its own project only; `what` is upstream's word for them. */
export function checkDelegated(ctx: Ctx, projectId: string | null | undefined, what = 'Credential'): void {
  if (Object.keys(delegationOf(ctx)).length === 0 || projectId === ctx.identity.project_id) return
  throw forbiddenAction(`${what} project does not match the project scope of the delegated token`)
}
