/** Security groups: named sets of rules that ports carry. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { boolean, text } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { columnsOf, touch } from '#kernel/standard-row.ts'
import { projectMember, projectReader } from '../policy.ts'
import { grouped, portGroupRows } from '../ports/store.ts'
import { reserve } from '../quotas/quota.ts'
import { changed } from '../revision.ts'
import { securityGroupRules } from './rule.ts'
import { defaultGroup, makeGroup } from './steps.ts'
import { groupRows, ruleRows, type SecurityGroupRow } from './store.ts'

const ownerOrAdmin = (own: string) => `rule:context_is_admin or ${own}`

async function groupInUse(ctx: Ctx, id: string): Promise<boolean> {
  return (await portGroupRows.find(ctx.db, { security_group_id: id })) !== undefined
}

const inUse = (id: string) => new Conflict(`Security Group ${id} in use.`, { type: 'SecurityGroupInUse' })

export const securityGroups: Resource<SecurityGroupRow> = resource<SecurityGroupRow>({
  path: '/v2.0/security-groups',
  collection: 'security_groups',
  member: 'security_group',
  notFound: { type: 'SecurityGroupNotFound', message: id => `Security group ${id} does not exist` },
  store: groupRows,
  policy: {
    create: ownerOrAdmin(projectMember),
    show: ownerOrAdmin(projectReader),
    update: ownerOrAdmin(projectMember),
    delete: ownerOrAdmin(projectMember),
  },
  attributes: {
    name: text(255, { create: true, update: true, default: '', convert: refuseDefaultName }),
    stateful: boolean({ create: true, update: true, default: true }),
    shared: boolean({ column: false }),
    security_group_rules: { schema: Type.Array(Type.Unknown()), column: false },
  },
  hooks: {
    async beforeList(ctx) {
      if (ctx.identity.project_id) await defaultGroup(ctx, ctx.identity.project_id)
    },
    async create(ctx, values) {
      const projectId = values.project_id as string
      await defaultGroup(ctx, projectId)
      await reserve(ctx, projectId, 'security_group')
      await reserve(ctx, projectId, 'security_group_rule', 2)
      return makeGroup(ctx, {
        project_id: projectId,
        name: values.name as string,
        description: values.description as string,
        tags: values.tags as string[],
        stateful: values.stateful as boolean,
        is_default: false,
      })
    },
    async update(ctx, row, patch) {
      if (row.is_default && patch.name !== undefined && patch.name !== row.name)
        throw new Conflict('Updating default security group not allowed.', {
          type: 'SecurityGroupCannotUpdateDefault',
        })
      if (patch.stateful !== undefined && patch.stateful !== row.stateful && (await groupInUse(ctx, row.id)))
        throw inUse(row.id)
      await changed(ctx, { security_groups: [row.id] })
      return touch(ctx, groupRows, row, columnsOf<SecurityGroupRow>(securityGroups.spec.attributes, patch))
    },
    async remove(ctx, row) {
      if (row.is_default && !seesAll(ctx))
        throw new Conflict('Insufficient rights for removing default security group.', {
          type: 'SecurityGroupCannotRemoveDefault',
        })
      if (await groupInUse(ctx, row.id)) throw inUse(row.id)
      const others = await ruleRows.list(ctx.db, { remote_group_id: row.id })
      await ruleRows.remove(ctx.db, { remote_group_id: row.id })
      await ruleRows.remove(ctx.db, { security_group_id: row.id })
      await groupRows.remove(ctx.db, { id: row.id })
      await changed(ctx, { security_groups: others.map(rule => rule.security_group_id) })
    },
    async view(ctx, rows) {
      const ids = rows.map(row => row.id)
      const found = await ruleRows.list(
        ctx.db,
        { security_group_id: ids },
        {
          orderBy: [
            { column: 'created_at', direction: 'asc' },
            { column: 'id', direction: 'asc' },
          ],
        },
      )
      const shown = (await securityGroupRules.view(ctx, found)).map((rule, i) => ({
        group: found[i]!.security_group_id,
        rule,
      }))
      const byGroup = grouped(ids, shown, ({ group }) => group)
      return rows.map(row => ({ shared: false, security_group_rules: byGroup.get(row.id)!.map(({ rule }) => rule) }))
    },
  },
})

function refuseDefaultName(value: unknown): unknown {
  if (typeof value === 'string' && value.toLowerCase() === 'default')
    throw new Conflict('Default security group already exists.', { type: 'SecurityGroupDefaultAlreadyExists' })
  return value
}
