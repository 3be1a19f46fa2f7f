/** Making security groups and rules inside other work: the default group of a project, the rules a new group begins with. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { standardMembers } from '#kernel/standard-row.ts'
import { fingerprint, type RuleValues } from './rule-checks.ts'
import { groupRows, ruleRows, type SecurityGroupRow, type SecurityGroupRuleRow } from './store.ts'

interface GroupValues {
  project_id: string
  name: string
  description: string
  stateful: boolean
  is_default: boolean
  tags?: string[]
}

export async function makeGroup(ctx: Ctx, values: GroupValues): Promise<SecurityGroupRow> {
  const { name, stateful, is_default } = values
  const group: SecurityGroupRow = { ...standardMembers(ctx, { ...values }), name, stateful, is_default }
  await groupRows.insert(ctx.db, group)
  for (const ethertype of ['IPv4', 'IPv6'] as const) {
    if (is_default)
      await makeRule(ctx, group.project_id, { ...anyTraffic(group, ethertype), remote_group_id: group.id })
    await makeRule(ctx, group.project_id, { ...anyTraffic(group, ethertype), direction: 'egress' })
  }
  return group
}

const anyTraffic = (group: SecurityGroupRow, ethertype: 'IPv4' | 'IPv6'): RuleValues => ({
  security_group_id: group.id,
  direction: 'ingress',
  ethertype,
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
  remote_address_group_id: null,
})

export async function makeRule(
  ctx: Ctx,
  projectId: string,
  values: RuleValues,
  extra: { description?: string; tags?: string[] } = {},
): Promise<SecurityGroupRuleRow> {
  const rule: SecurityGroupRuleRow = {
    ...standardMembers(ctx, { project_id: projectId, ...extra }),
    ...values,
    fingerprint: fingerprint(values),
  }
  await ruleRows.insert(ctx.db, rule)
  return rule
}

/** The project's default group, made when it is first needed. */
export async function defaultGroup(ctx: Ctx, projectId: string): Promise<SecurityGroupRow> {
  const wanted = { project_id: projectId, is_default: true }
  const known = await groupRows.find(ctx.db, wanted)
  if (known) return known
  return ctx.transaction(async tx => {
    await lock(tx.db, tx.database.engine, `network.default-group:${projectId}`)
    const meanwhile = await groupRows.find(tx.db, wanted)
    if (meanwhile) return meanwhile
    const description = 'Default security group'
    return makeGroup(tx, { ...wanted, name: 'default', description, stateful: true })
  })
}
