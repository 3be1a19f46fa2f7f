/** The ways to prove who one is. All failures look the same to the caller, and take about as long. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound, Unauthorized } from '#kernel/errors.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { type ApplicationCredentialRow, applicationCredentials } from '../application-credentials/store.ts'
import { identityConfig } from '../config.ts'
import { accessTokenOf, type SignedBy } from '../consumers/consumer.ts'
import type { AccessTokenRow } from '../consumers/store.ts'
import { blobOf } from '../credentials/credential.ts'
import { credentials } from '../credentials/store.ts'
import { type Factor, factorOf, factorUser, providedMethods } from '../factor-providers/factor-provider.ts'
import { expecting } from '../faults.ts'
import { directoryOf, seeUser } from '../mirror.ts'
import { checkPassword } from '../password.ts'
import { isExpired, passwordCost } from '../password-rules.ts'
import { projects } from '../projects/store.ts'
import { freshGeneration } from '../revocations/revocation.ts'
import { base32, isTotpCode } from '../totp.ts'
import { type UserRow, users } from '../users/store.ts'
import { admitted, checkUserPassword } from '../users/user.ts'
import { namedByCertificate, takesCertificates } from './certificate.ts'
import type { Claims } from './token.ts'
import { checkToken } from './validate.ts'

export interface Named {
  id?: string | undefined
  name?: string | undefined
  domain?: { id?: string | undefined; name?: string | undefined } | undefined
}

export interface AuthIdentity {
  methods: string[]
  password?: { user: Named & { password: string } } | undefined
  token?: { id: string } | undefined
  totp?: { user: Named & { passcode: string } } | undefined
  application_credential?: { id?: string; name?: string; secret: string; user?: Named } | undefined
  /** Of methods that configuration adds. */
  [method: string]: unknown
}

/** A request as methods look at it. */
export interface Asked extends SignedBy {
  source: string
}

/** A factor that the caller named without a code: it is to be sent. */
export interface Begun {
  method: string
  begin(): Promise<void>
}

/** What a method finds out. */
export interface Proof {
  user_id: string
  /** The token that was shown. */
  parent?: Claims
  applicationCredential?: ApplicationCredentialRow
  /** Of OAuth1: it says the scope too. */
  accessToken?: AccessTokenRow
  /** Of factors that are only begun, it proves nothing yet. */
  begun?: Begun
  /** Of identity, when finding the user changed something: read after that, and before the proof was looked at. */
  generation?: number
}

/** The id of a domain named either way; undefined when there is none. */
export async function domainId(
  ctx: Ctx,
  domain: { id?: string | undefined; name?: string | undefined },
): Promise<string | undefined> {
  if (domain.id !== undefined) return domain.id
  if (domain.name === undefined) return undefined
  return (await projects.find(ctx.db, { domain_id: null, name: domain.name }))?.id
}

interface Found {
  user: UserRow | undefined
  /** Of a user whose domain has a directory: how it is asked. */
  isPassword?: (password: string) => Promise<boolean>
  generation?: number
}

/** The user as the table or the domain's directory has it. */
async function find(ctx: Ctx, named: Named): Promise<Found> {
  const { id, name } = named
  const known = id === undefined ? undefined : await users.find(ctx.db, { id })
  if (id === undefined && name === undefined) throw expecting('id or name', 'user')
  if (id === undefined && named.domain === undefined) throw expecting('domain', 'user')
  const domain_id = id === undefined ? await domainId(ctx, named.domain!) : known?.domain_id
  const directory = domain_id === undefined ? undefined : await directoryOf(ctx, domain_id)
  if (directory) {
    const seen = await seeUser(ctx, directory, domain_id!, id === undefined ? { name: name! } : { id })
    const isPassword = async (password: string) => (await seen?.isPassword(password)) ?? false
    return { user: seen?.row, isPassword, generation: await freshGeneration(ctx) }
  }
  if (id !== undefined || domain_id === undefined) return { user: known }
  return { user: await users.find(ctx.db, { domain_id, name: name!, foreign_id: '' }) }
}

const findUser = async (ctx: Ctx, named: Named) => (await find(ctx, named)).user

async function byPassword(ctx: Ctx, { password }: AuthIdentity): Promise<Proof> {
  if (!password) throw expecting('password', 'identity')
  const { user, isPassword, generation } = await find(ctx, password.user)
  const given = password.user.password
  const right = isPassword
    ? (await admitted(ctx, user, await isPassword(given))) !== undefined
    : await checkUserPassword(ctx, user, given)
  if (!user || !right) throw new Unauthorized()
  if (isExpired(ctx, user)) {
    throw new Unauthorized(`The password is expired and needs to be changed for user: ${user.id}.`)
  }
  return { user_id: user.id, ...(generation !== undefined && { generation }) }
}

async function byTotp(ctx: Ctx, { totp }: AuthIdentity): Promise<Proof> {
  if (!totp) throw expecting('totp', 'identity')
  const user = await findUser(ctx, totp.user)
  const right = user !== undefined && (await hasCode(ctx, user.id, totp.user.passcode))
  if (!user?.enabled || !(await admitted(ctx, user, right))) throw new Unauthorized('Invalid username or TOTP passcode')
  return { user_id: user.id }
}

async function hasCode(ctx: Ctx, user_id: string, passcode: string): Promise<boolean> {
  const { totp_previous_windows } = ctx.config.of(identityConfig)
  const seconds = Math.floor(ctx.clock.now() / 1000)
  let right = false
  for (const row of await credentials.list(ctx.db, { user_id, type: 'totp' })) {
    const secret = base32(await blobOf(ctx, row))
    if (secret && isTotpCode(passcode, secret, seconds, totp_previous_windows)) right = true
  }
  return right
}

async function byToken(ctx: Ctx, { token }: AuthIdentity): Promise<Proof> {
  if (!token) throw expecting('token', 'identity')
  const found = await checkToken(ctx, token.id)
  if (!found) throw new NotFound('Could not find token.')
  return {
    user_id: found.claims.user_id,
    parent: found.claims,
    ...(found.facts.applicationCredential && { applicationCredential: found.facts.applicationCredential }),
  }
}

async function byApplicationCredential(ctx: Ctx, { application_credential: given }: AuthIdentity): Promise<Proof> {
  if (!given) throw expecting('application_credential', 'identity')
  const credential = await findCredential(ctx, given)
  const right = await checkPassword(given.secret, credential?.secret_hash ?? null, passwordCost(ctx))
  if (!right || !credential) throw new Unauthorized()
  return { user_id: credential.user_id, applicationCredential: credential }
}

async function findCredential(ctx: Ctx, given: NonNullable<AuthIdentity['application_credential']>) {
  if (given.id !== undefined) return applicationCredentials.find(ctx.db, { id: given.id })
  if (given.name === undefined || given.user === undefined)
    throw expecting('id, or name and user', 'application_credential')
  const user = await findUser(ctx, given.user)
  return user && applicationCredentials.find(ctx.db, { user_id: user.id, name: given.name })
}

async function byOauth1(ctx: Ctx, _identity: AuthIdentity, request: SignedBy): Promise<Proof> {
  const accessToken = await accessTokenOf(ctx, request)
  return { user_id: accessToken.user_id, accessToken }
}

async function byCertificate(ctx: Ctx, _identity: AuthIdentity, asked: Asked): Promise<Proof> {
  const user = await findUser(ctx, await namedByCertificate(ctx, asked))
  if (!user?.enabled || !(await admitted(ctx, user, true))) throw new Unauthorized()
  return { user_id: user.id }
}

const text = Type.Optional(Type.String({ maxLength: 4096 }))
const domain = Type.Optional(Type.Object({ id: text, name: text }))
const shownToFactor = Type.Object({ user: Type.Object({ id: text, name: text, domain, passcode: text }) })

/** By a factor of the configuration. Without a code, one is sent when the rest of the login is good. */
async function byFactor(ctx: Ctx, identity: AuthIdentity, method: string, factor: Factor): Promise<Proof> {
  if (problemOf(shownToFactor, identity[method])) throw expecting('user', method)
  const given = identity[method] as Static<typeof shownToFactor>
  const user = await findUser(ctx, given.user)
  const known = user?.enabled ? await factorUser(ctx, method, user) : undefined
  const { passcode } = given.user
  if (user && passcode === undefined && factor.begin) {
    const begin = async () => void (known && (await factor.begin!(known)))
    return { user_id: user.id, begun: { method, begin } }
  }
  const right = known !== undefined && (await factor.isRight(known, passcode ?? ''))
  if (!user || !(await admitted(ctx, user, right))) throw new Unauthorized()
  return { user_id: user.id }
}

const methods = new Map<string, (ctx: Ctx, identity: AuthIdentity, asked: Asked) => Promise<Proof>>([
  ['password', byPassword],
  ['token', byToken],
  ['totp', byTotp],
  ['application_credential', byApplicationCredential],
  ['oauth1', byOauth1],
  ['external', byCertificate],
])

/** The methods that show something of their own, and so count as factors. */
export function knownFactors(ctx: Ctx): string[] {
  return ['password', 'totp', ...(takesCertificates(ctx) ? ['external'] : []), ...providedMethods(ctx)]
}

/** The names of all methods. */
export function knownMethods(ctx: Ctx): string[] {
  return [...knownFactors(ctx), 'token', 'application_credential', 'oauth1']
}

async function proveBy(ctx: Ctx, identity: AuthIdentity, name: string, asked: Asked): Promise<Proof> {
  const method = methods.get(name)
  if (method) return method(ctx, identity, asked)
  const factor = await factorOf(ctx, name)
  if (!factor) throw new Unauthorized('Attempted to authenticate with an unsupported method.')
  return byFactor(ctx, identity, name, factor)
}

/** Every method that the caller names must succeed, and for the same user. */
export async function prove(
  ctx: Ctx,
  identity: AuthIdentity,
  asked: Asked,
): Promise<Omit<Proof, 'begun'> & { begun: Begun[] }> {
  if (identity.methods.length === 0)
    throw new BadRequest("Invalid input for field 'identity/methods': [] should be non-empty")
  const proofs: Proof[] = []
  for (const name of new Set(identity.methods)) proofs.push(await proveBy(ctx, identity, name, asked))
  const [first] = proofs
  if (proofs.some(proof => proof.user_id !== first!.user_id)) throw new Unauthorized()
  const begun = proofs.flatMap(proof => proof.begun ?? [])
  return { ...(Object.assign({}, ...proofs) as Proof), begun }
}
