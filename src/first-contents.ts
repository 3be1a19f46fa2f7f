/** What a cloud has from its first start: a domain, projects, roles, the catalog, flavors, networks. Running it again changes nothing. */
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import type { Ctx } from '#kernel/context.ts'
import type { Cloud } from './cloud.ts'

export interface FirstContents {
  admin_password: string
  demo_password: string
}

/** Path of each service's endpoint below its prefix. */
const endpointPaths: Record<string, string> = {
  identity: '/v3',
  compute: '/v2.1',
}

export async function ensureFirstContents(cloud: Cloud, passwords: FirstContents): Promise<void> {
  const ctx: Ctx = cloud.ctx()
  const { identity, compute, network } = ctx.services
  const listed = cloud.services.filter(s => !s.unlisted)
  const endpoints = listed.map(s => ({ type: s.type, name: s.name, path: `${s.path}${endpointPaths[s.type] ?? ''}` }))
  await identity.bootstrap(ctx, { ...passwords, region: ctx.config.of(cloudConfig).region, endpoints })
  const admin = { project: 'admin', user: 'admin', password: passwords.admin_password, role: 'admin' }
  const demo = { project: 'demo', user: 'demo', password: passwords.demo_password, role: 'member' }
  const { project_id: admin_project_id } = await identity.ensureAccount(ctx, admin)
  const { project_id: demo_project_id } = await identity.ensureAccount(ctx, demo)
  await compute.bootstrap(ctx)
  await network.bootstrap(ctx, { demo_project_id, admin_project_id })
}
