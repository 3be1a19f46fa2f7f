/** From what an identity provider says of somebody to who that is here: the mapping applied, and what it names looked up. */
import type { Ctx } from '#kernel/context.ts'
import { Fault, Forbidden, messageOf, NotFound, Unauthorized } from '#kernel/errors.ts'
import { notFound } from '../faults.ts'
import { groups } from '../groups/store.ts'
import { type IdentityProviderRow, identityProviders, protocols, remoteIds } from '../identity-providers/store.ts'
import {
  type Assertion,
  applyRules,
  type DomainName,
  type Mapped,
  type MappedGroup,
  type MappedProject,
} from '../mapping-rules.ts'
import { type MappingRow, mappings } from '../mappings/store.ts'
import { projects } from '../projects/store.ts'
import { roles } from '../roles/store.ts'
import { users } from '../users/store.ts'
import type { Way } from './federation.ts'
import type { ProviderSession } from './store.ts'

/** What was said, and proven to come from the identity provider. */
export interface Said {
  assertion: Assertion
  /** The name that the provider calls itself by. */
  remote_id: string
  /** Whom it speaks of, when the mapping does not say. */
  subject: string
  /** What the provider calls the login, when it tells of its end. */
  session?: ProviderSession
}

/** An open way with all that belongs to it. */
export interface OpenWay extends Way {
  provider: IdentityProviderRow
  remote_id_attribute: string | null
  mapping: MappingRow
}

export interface Grant {
  name: string
  domain_id: string
  role_ids: string[]
}

/** A user of the identity provider, with all ids looked up. */
export interface Person {
  unique_id: string
  name: string
  email?: string
  domain_id: string
  group_ids: string[]
  projects: Grant[]
}

/** Throws unless somebody may log in that way now. */
export async function findWay(ctx: Ctx, { idp_id, protocol_id }: Way): Promise<OpenWay> {
  const provider = await identityProviders.find(ctx.db, { id: idp_id })
  if (!provider) throw notFound('Identity Provider', idp_id)
  if (!provider.enabled) throw new Forbidden(`Identity Provider ${idp_id} is disabled.`)
  const protocol = await protocols.find(ctx.db, { idp_id, id: protocol_id })
  if (!protocol) {
    throw new NotFound(`Could not find federated protocol ${protocol_id} for Identity Provider: ${idp_id}.`)
  }
  const mapping = await mappings.find(ctx.db, { id: protocol.mapping_id })
  if (!mapping) throw notFound('mapping', protocol.mapping_id)
  return { idp_id, protocol_id, provider, mapping, remote_id_attribute: protocol.remote_id_attribute }
}

/** Of an identity provider with remote ids, the one who speaks must be one of them. */
async function checkRemoteId(ctx: Ctx, way: OpenWay, said: Said): Promise<void> {
  const known = await remoteIds.list(ctx.db, { idp_id: way.idp_id })
  if (known.length === 0) return
  const named = way.remote_id_attribute === null ? [said.remote_id] : said.assertion[way.remote_id_attribute]
  if (!named?.[0]) throw new Unauthorized('Could not find Identity Provider identifier in environment')
  if (!known.some(one => one.remote_id === named[0])) {
    throw new Forbidden('Incoming identity provider identifier not included among the accepted identifiers.')
  }
}

/** The mapping's answer; whoever it does not know is not let in. */
export async function mapped(ctx: Ctx, way: OpenWay, said: Said): Promise<Mapped> {
  await checkRemoteId(ctx, way, said)
  try {
    return applyRules(way.mapping.rules, said.assertion, way.mapping.schema_version)
  } catch (error) {
    if (error instanceof Fault) throw new Unauthorized(messageOf(error))
    throw error
  }
}

async function domainOf(ctx: Ctx, named: DomainName | undefined, otherwise: string): Promise<string> {
  if (named?.id !== undefined) return named.id
  if (named?.name === undefined) return otherwise
  const found = await projects.find(ctx.db, { domain_id: null, name: named.name })
  if (!found) throw notFound('domain', named.name)
  return found.id
}

/** The user of this cloud that a mapping of type `local` names. */
export async function localUser(ctx: Ctx, { user }: Mapped): Promise<string> {
  const { id, name, domain } = user
  if (id !== undefined) {
    const found = await users.find(ctx.db, { id })
    if (found) return found.id
  } else if (name !== undefined && domain) {
    const domain_id = await domainOf(ctx, domain, '')
    const found = await users.find(ctx.db, { domain_id, name, foreign_id: '' })
    if (found) return found.id
  }
  throw new Unauthorized()
}

/** Groups that a name is not known of are left out, as upstream does; an id that is none is the mapping's mistake. */
async function groupIds(ctx: Ctx, { group_ids, group_names }: Mapped, mappingId: string): Promise<string[]> {
  const found: string[] = []
  for (const id of group_ids) {
    if (!(await groups.find(ctx.db, { id }))) {
      const words = `Group ${id} returned by mapping ${mappingId} was not found in the backend.`
      throw new Fault(500, 'Internal Server Error', words)
    }
    found.push(id)
  }
  for (const group of group_names) {
    const id = await groupNamed(ctx, group)
    if (id !== undefined) found.push(id)
  }
  return [...new Set(found)]
}

async function groupNamed(ctx: Ctx, { name, domain }: MappedGroup): Promise<string | undefined> {
  return (await groups.find(ctx.db, { name, domain_id: await domainOf(ctx, domain, '') }))?.id
}

async function grantOf(ctx: Ctx, project: MappedProject, way: OpenWay, userDomain: string): Promise<Grant> {
  if (project.name === '' || project.name.length > 64) {
    throw new Unauthorized('The mapping names a project whose name is empty, or longer than 64 characters.')
  }
  const domain_id = await domainOf(ctx, project.domain, way.provider.domain_id)
  if (!(await projects.find(ctx.db, { id: domain_id, is_domain: true }))) throw notFound('domain', domain_id)
  const role_ids: string[] = []
  for (const { name } of project.roles) {
    const found = await roles.list(ctx.db, { name })
    const role = found.find(one => one.domain_id === null) ?? found.find(one => one.domain_id === userDomain)
    if (!role && found.length > 0) {
      throw new Forbidden(
        `Domain-specific role ${name} cannot be used: it is not of the domain of identity provider ${way.idp_id}.`,
      )
    }
    if (!role) throw notFound('role', name)
    role_ids.push(role.id)
  }
  return { name: project.name, domain_id, role_ids }
}

/** Everything that the mapping names, looked up before anything is made. */
export async function personOf(ctx: Ctx, way: OpenWay, said: Said, found: Mapped): Promise<Person> {
  const { id, name, email, domain } = found.user
  const shown = name || id || said.subject
  if (!shown || shown.length > 255 || (id?.length ?? 0) > 255) {
    throw new Unauthorized(
      'Could not map user while setting ephemeral user identity: it has no name of a usable length.',
    )
  }
  const domain_id = await domainOf(ctx, domain, way.provider.domain_id)
  return {
    unique_id: encodeURIComponent(id || shown),
    name: shown,
    ...(email && { email }),
    domain_id,
    group_ids: await groupIds(ctx, found, way.mapping.id),
    projects: await Promise.all(found.projects.map(project => grantOf(ctx, project, way, domain_id))),
  }
}
