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
  const endpoints = cloud.services.map(s => ({
    type: s.type,
    name: s.name,
    path: `${s.path}${endpointPaths[s.type] ?? ''}`,
  }))
  const made = await identity.bootstrap(ctx, { ...passwords, region: ctx.config.of(cloudConfig).region, endpoints })
  await compute.bootstrap(ctx)
  await network.bootstrap(ctx, { demo_project_id: made.demo_project_id, admin_project_id: made.admin_project_id })
}
