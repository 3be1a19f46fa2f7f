/** The scope that a login asks for. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound, Unauthorized } from '#kernel/errors.ts'
import { expecting } from '../faults.ts'
import { projects } from '../projects/store.ts'
import type { TokenScope } from '../revocations/revocation.ts'
import { findTrust } from '../trusts/trust.ts'
import { domainId, type Named } from './methods.ts'

export interface AskedScope {
  project?: Named
  domain?: Named
  system?: { all?: boolean }
  unscoped?: object
  'OS-TRUST:trust'?: { id?: string }
}

export const unscoped: TokenScope = { type: 'unscoped' }

export interface Wanted {
  scope: TokenScope
  trust_id?: string
}

/** What was asked for; undefined when nothing was said. */
export async function wantedScope(ctx: Ctx, asked: 'unscoped' | AskedScope | undefined): Promise<Wanted | undefined> {
  if (asked === undefined) return undefined
  if (asked === 'unscoped') return { scope: unscoped }
  const kinds = ['system', 'project', 'domain', 'OS-TRUST:trust', 'unscoped'].filter(kind => kind in asked)
  if (kinds.length !== 1) throw expecting('system, project, domain, OS-TRUST:trust or unscoped', 'scope')
  const trust = asked['OS-TRUST:trust']
  return trust ? trustScope(ctx, trust.id) : { scope: await plainScope(ctx, asked) }
}

async function trustScope(ctx: Ctx, id: string | undefined): Promise<Wanted> {
  if (id === undefined) throw expecting('trust_id', 'trust')
  try {
    const { project_id } = await findTrust(ctx, id)
    return { scope: project_id === null ? unscoped : { type: 'project', id: project_id }, trust_id: id }
  } catch (error) {
    if (error instanceof NotFound) throw new Unauthorized(error.message)
    throw error
  }
}

async function plainScope(ctx: Ctx, asked: AskedScope): Promise<TokenScope> {
  if (asked.unscoped) return unscoped
  if (asked.system) {
    if (asked.system.all !== true) throw expecting('all', 'system')
    return { type: 'system' }
  }
  if (asked.domain) {
    if (asked.domain.id === undefined && asked.domain.name === undefined) throw expecting('id or name', 'domain')
    const id = await domainId(ctx, asked.domain)
    if (id === undefined) throw new Unauthorized()
    return { type: 'domain', id }
  }
  if (asked.project) return { type: 'project', id: await projectIdOf(ctx, asked.project) }
  throw new Unauthorized()
}

async function projectIdOf(ctx: Ctx, named: Named): Promise<string> {
  if (named.id !== undefined) return named.id
  if (named.name === undefined) throw expecting('id or name', 'project')
  if (named.domain === undefined) throw expecting('domain', 'project')
  const domain_id = await domainId(ctx, named.domain)
  const project = domain_id === undefined ? undefined : await projects.find(ctx.db, { domain_id, name: named.name })
  if (!project) throw new Unauthorized()
  return project.id
}
