/** What a security group rule must be, and what makes two rules the same. */
import { BadRequest } from '#kernel/errors.ts'
import { formatCidr, parseCidr } from '../addresses.ts'
import { hasPorts, isIcmp, numberOf, onlyIpv6, protocolsWithPorts } from './protocols.ts'
import type { SecurityGroupRuleRow } from './store.ts'

export type RuleValues = Pick<
  SecurityGroupRuleRow,
  | 'security_group_id'
  | 'direction'
  | 'ethertype'
  | 'protocol'
  | 'port_range_min'
  | 'port_range_max'
  | 'remote_ip_prefix'
  | 'remote_group_id'
  | 'remote_address_group_id'
>

const refuse = (type: string, message: string) => new BadRequest(message, { type })

export function checkRule(rule: RuleValues): void {
  if ([rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id].filter(Boolean).length > 1)
    throw refuse(
      'SecurityGroupMultipleRemoteEntites',
      'Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.',
    )
  if (rule.protocol !== null && rule.ethertype === 'IPv4' && onlyIpv6.has(rule.protocol))
    throw refuse(
      'SecurityGroupEthertypeConflictWithProtocol',
      `Invalid ethertype ${rule.ethertype} for protocol ${rule.protocol}.`,
    )
  checkPorts(rule)
  if (rule.remote_ip_prefix !== null) {
    const version = parseCidr(rule.remote_ip_prefix)!.version
    if (rule.ethertype !== `IPv${version}`)
      throw refuse(
        'SecurityGroupRuleParameterConflict',
        `Conflicting value ethertype ${rule.ethertype} for CIDR ${rule.remote_ip_prefix}`,
      )
  }
}

function checkPorts({ protocol, ethertype, port_range_min: min, port_range_max: max }: RuleValues): void {
  if (min === null && max === null) return
  if (protocol === null)
    throw refuse('SecurityGroupProtocolRequiredWithPorts', 'Must also specify protocol if port range is given.')
  const number = numberOf(protocol, ethertype)
  if (hasPorts(number)) {
    if (min === 0 || max === 0) throw refuse('SecurityGroupInvalidPortValue', 'Invalid value for port 0')
    if (min === null || max === null || min > max)
      throw refuse('SecurityGroupInvalidPortRange', 'For TCP/UDP protocols, port_range_min must be <= port_range_max')
  } else if (isIcmp(number)) checkIcmp(min, max)
  else
    throw refuse(
      'SecurityGroupInvalidProtocolForPort',
      `Ports cannot be specified for protocol ${protocol}. Ports are only supported for ${protocolsWithPorts.join(', ')}.`,
    )
}

/** Type and code of ICMP are carried as the port range. */
function checkIcmp(type: number | null, code: number | null): void {
  const parts = [
    { field: 'type', attr: 'port_range_min', value: type },
    { field: 'code', attr: 'port_range_max', value: code },
  ]
  for (const { field, attr, value } of parts)
    if (value !== null && value > 255)
      throw refuse(
        'SecurityGroupInvalidIcmpValue',
        `Invalid value for ICMP ${field} (${attr}) ${value}. It must be 0 to 255.`,
      )
  if (type === null)
    throw refuse(
      'SecurityGroupMissingIcmpType',
      `ICMP code (port-range-max) ${code} is provided but ICMP type (port-range-min) is missing.`,
    )
}

/** Everything that makes two rules of a group the same, as text. */
export function fingerprint(rule: RuleValues): string {
  const prefix = rule.remote_ip_prefix === null ? null : formatCidr(parseCidr(rule.remote_ip_prefix)!)
  const protocol = rule.protocol === null ? null : numberOf(rule.protocol, rule.ethertype)
  return JSON.stringify([
    rule.direction,
    rule.ethertype,
    protocol,
    rule.port_range_min,
    rule.port_range_max,
    prefix,
    rule.remote_group_id,
    rule.remote_address_group_id,
  ])
}
