/** Security group rules: what a group lets in and out. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { boolean, choice, text, toInteger } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { touch } from '#kernel/standard-row.ts'
import { formatCidr, parseCidr } from '../addresses.ts'
import { securityGroupNotFound } from '../errors.ts'
import { projectReader, sgOwnerMember, sgOwnerReader } from '../policy.ts'
import { reserve } from '../quotas/quota.ts'
import { changed } from '../revision.ts'
import { readProtocol } from './protocols.ts'
import { checkRule, fingerprint, type RuleValues } from './rule-checks.ts'
import { makeRule } from './steps.ts'
import { groupRows, inGroupOf, ruleRows, type SecurityGroupRuleRow } from './store.ts'

function readPort(value: unknown): unknown {
  const port = toInteger(value)
  if (port === null || (typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65535)) return port
  throw new BadRequest(`Invalid value for port ${String(value).slice(0, 255)}`, {
    type: 'SecurityGroupInvalidPortValue',
  })
}

function readPrefix(value: unknown): string | null {
  if (value === null || value === '') return null
  if (typeof value === 'string' && parseCidr(value))
    return value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`
  throw new BadRequest(`Invalid CIDR ${String(value).slice(0, 255)} given as IP prefix.`, { type: 'InvalidCIDR' })
}

function readEthertype(value: unknown): string {
  const known = ['IPv4', 'IPv6'].find(name => name.toLowerCase() === String(value).toLowerCase())
  if (known) return known
  throw new BadRequest(
    `Security group rule for ethertype '${String(value).slice(0, 255)}' not supported. Allowed values are ['IPv4', 'IPv6'].`,
    { type: 'SecurityGroupRuleInvalidEtherType' },
  )
}

const nullableText = Type.Union([Type.String({ maxLength: 255 }), Type.Null()])
const nullableInteger = Type.Union([Type.Integer(), Type.Null()])

export const securityGroupRules: Resource<SecurityGroupRuleRow> = resource<SecurityGroupRuleRow>({
  path: '/v2.0/security-group-rules',
  collection: 'security_group_rules',
  member: 'security_group_rule',
  notFound: { type: 'SecurityGroupRuleNotFound', message: id => `Security group rule ${id} does not exist` },
  store: ruleRows,
  policy: {
    create: `rule:context_is_admin or ${sgOwnerMember}`,
    show: `rule:context_is_admin or ${sgOwnerReader} or ${projectReader}`,
    update: `rule:context_is_admin or ${sgOwnerMember}`,
    delete: `rule:context_is_admin or ${sgOwnerMember}`,
  },
  visible: (ctx, eb) =>
    eb.or([eb('project_id', '=', ctx.identity.project_id ?? ''), inGroupOf(ctx.identity.project_id ?? '')]),
  attributes: {
    security_group_id: text(36, { create: true, required: true }),
    direction: { schema: choice(['ingress', 'egress']), create: true, required: true },
    ethertype: { schema: Type.String(), create: true, default: 'IPv4', convert: readEthertype },
    protocol: { schema: nullableText, create: true, default: null, convert: readProtocol },
    port_range_min: { schema: nullableInteger, create: true, default: null, convert: readPort },
    port_range_max: { schema: nullableInteger, create: true, default: null, convert: readPort },
    remote_ip_prefix: { schema: nullableText, create: true, default: null, convert: readPrefix },
    remote_group_id: { schema: nullableText, create: true, default: null },
    remote_address_group_id: { schema: Type.Null(), create: true, default: null },
    normalized_cidr: { schema: nullableText, column: false },
    belongs_to_default_sg: boolean({ column: false }),
  },
  without: ['update'],
  hooks: {
    async target(ctx, items) {
      const rules = items as SecurityGroupRuleRow[]
      const ids = [...new Set(rules.map(rule => rule.security_group_id))]
      const groups = new Map((await groupRows.list(ctx.db, { id: ids })).map(group => [group.id, group]))
      return rules.map(rule => {
        const group = groups.get(rule.security_group_id)
        const foreign = rule.id === undefined && group?.project_id !== ctx.identity.project_id && !seesAll(ctx)
        if (group === undefined || foreign) throw securityGroupNotFound(rule.security_group_id)
        return { 'security_group:project_id': group.project_id, 'security_group:is_default': group.is_default }
      })
    },
    async prepare(_ctx, values) {
      const seen = new Set<string>()
      for (const value of values) {
        const key = `${value.security_group_id}${fingerprint(value as unknown as RuleValues)}`
        if (seen.has(key))
          throw new Conflict('Duplicate Security Group Rule in POST.', { type: 'DuplicateSecurityGroupRuleInPost' })
        seen.add(key)
      }
    },
    async create(ctx, values) {
      const rule = pick(values)
      checkRule(rule)
      await lock(ctx.db, ctx.database.engine, `security_groups:${rule.security_group_id}`)
      const group = await groupRows.find(ctx.db, { id: rule.security_group_id })
      if (!group) throw securityGroupNotFound(rule.security_group_id)
      await checkRemoteGroup(ctx, rule.remote_group_id)
      const same = await ruleRows.find(ctx.db, { security_group_id: group.id, fingerprint: fingerprint(rule) })
      if (same)
        throw new Conflict(`Security group rule already exists. Rule id is ${same.id}.`, {
          type: 'SecurityGroupRuleExists',
        })
      await reserve(ctx, group.project_id, 'security_group_rule')
      await touch(ctx, groupRows, group, {})
      await changed(ctx, { security_groups: [group.id] })
      return makeRule(ctx, values.project_id as string, rule, {
        description: values.description as string,
        tags: values.tags as string[],
      })
    },
    async remove(ctx, row) {
      await ruleRows.remove(ctx.db, { id: row.id })
      const group = await groupRows.find(ctx.db, { id: row.security_group_id })
      if (group) await touch(ctx, groupRows, group, {})
      await changed(ctx, { security_groups: [row.security_group_id] })
    },
    view: async (_ctx, rows, targets) =>
      rows.map((row, i) => ({
        normalized_cidr: row.remote_ip_prefix === null ? null : formatCidr(parseCidr(row.remote_ip_prefix)!),
        belongs_to_default_sg: targets[i]!['security_group:is_default'],
      })),
  },
})

async function checkRemoteGroup(ctx: Ctx, id: string | null): Promise<void> {
  if (id === null) return
  const group = await groupRows.find(ctx.db, { id })
  if (!group || (group.project_id !== ctx.identity.project_id && !seesAll(ctx))) throw securityGroupNotFound(id)
}

function pick(values: Record<string, unknown>): RuleValues {
  const all = values as unknown as RuleValues
  return {
    security_group_id: all.security_group_id,
    direction: all.direction,
    ethertype: all.ethertype,
    protocol: all.protocol,
    port_range_min: all.port_range_min,
    port_range_max: all.port_range_max,
    remote_ip_prefix: all.remote_ip_prefix,
    remote_group_id: all.remote_group_id,
    remote_address_group_id: all.remote_address_group_id,
  }
}
