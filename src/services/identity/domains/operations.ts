/** Domains: projects without a domain, under their own path. */
import { Type } from '#kernel/schema/builders.ts'
import { immutableOption } from '../options.ts'
import { adminRequired, systemReader } from '../policy.ts'
import { domainView } from '../projects/project.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import { resource } from '../resource.ts'
import { announce } from '../revocations/revocation.ts'
import { removeDomain } from './domain.ts'

/** The table holds projects too; under this path they are not there. */
const domains: typeof projects = {
  ...projects,
  find: (db, where) => projects.find(db, { ...where, is_domain: true }),
  list: (db, where, options) => projects.list(db, { ...where, is_domain: true }, options),
}

export const domainResource = resource<ProjectRow>({
  member: 'domain',
  collection: 'domains',
  store: domains,
  attributes: {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    enabled: Type.Boolean(),
    description: Type.Union([Type.String(), Type.Null()]),
    tags: Type.Array(Type.String({ maxLength: 255 }), { maxItems: 80, uniqueItems: true }),
    options: immutableOption,
  },
  required: ['name'],
  filters: ['name'],
  policy: {
    get: `${adminRequired} or ${systemReader} or domain_id:%(target.domain.id)s or project_domain_id:%(target.domain.id)s`,
    list: `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.domain_id)s)`,
    create: adminRequired,
    update: adminRequired,
    delete: adminRequired,
  },
  target: row => ({ 'target.domain.id': row.id }),
  listed: ctx => (ctx.identity.domain_id ? { id: ctx.identity.domain_id } : {}),
  view: domainView,
  duplicate: values => `it is not permitted to have two domains with the same name: ${values.name}`,

  async create(ctx, values, extra) {
    const { explicit_domain_id, ...rest } = extra
    const row: ProjectRow = {
      id: typeof explicit_domain_id === 'string' ? explicit_domain_id : ctx.ids.hex(),
      enabled: true,
      tags: [],
      options: {},
      tokens_after: 0,
      ...(values as Partial<ProjectRow>),
      name: String(values.name),
      description: String(values.description ?? ''),
      domain_id: null,
      parent_id: null,
      is_domain: true,
      extra: rest,
    }
    await projects.insert(ctx.db, row)
    return row
  },

  async update(ctx, row, patch, generation) {
    const closes = patch.enabled === false && row.enabled
    if (closes) await announce(ctx, { domain_id: row.id })
    return {
      ...(patch as Partial<ProjectRow>),
      ...(patch.description === null && { description: '' }),
      ...(closes && { tokens_after: generation }),
    }
  },

  remove: removeDomain,
})
