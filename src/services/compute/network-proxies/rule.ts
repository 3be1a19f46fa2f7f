/** A rule of a security group as compute's API took it: loosely typed, checked by hand, refused in its own words. */
import { isIPv4, isIPv6 } from 'node:net'
import { BadRequest } from '#kernel/errors.ts'
import type { ComputeSecurityGroup } from '../../network/contract.ts'

interface Asked {
  parent_group_id: string
  group_id?: string | null
  from_port?: unknown
  to_port?: unknown
  ip_protocol?: unknown
  cidr?: unknown
}

interface Checked {
  parent_group_id: string
  group_id: string | null
  protocol: string | null
  from_port: number | null
  to_port: number | null
  cidr: string | null
}

const invalid = (reason: string) => new BadRequest(`Invalid input received: ${reason}`)

/** Throws for what is no rule, or one that the group has already. */
export function checkedRule(asked: Asked, group: ComputeSecurityGroup): Checked {
  const cidr = asked.group_id ? null : cidrOf(asked.cidr)
  const checked: Checked = {
    parent_group_id: asked.parent_group_id,
    group_id: asked.group_id ?? null,
    cidr,
    ...trafficOf(asked),
  }
  if (group.rules.some(rule => isSame(rule, checked)))
    throw new BadRequest(`This rule already exists in group ${asked.parent_group_id}`)
  return checked
}

function cidrOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return '0.0.0.0/0'
  const text = unescaped(String(value))
  const [, address = '', prefix] = /^([0-9a-f:.]+)\/(\d{1,3})$/i.exec(text) ?? []
  const longest = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1
  if (prefix === undefined || Number(prefix) > longest)
    throw new BadRequest(`${text.slice(0, 255)} is not a valid IP network.`)
  if (Number(prefix) === 0 && !['0.0.0.0', '::'].includes(address))
    throw new BadRequest(`Bad prefix for network in cidr ${text}`)
  return text
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Protocol and ports. A rule for a group may leave the ports out, or all of it; one for addresses names everything. */
function trafficOf(asked: Asked): Pick<Checked, 'protocol' | 'from_port' | 'to_port'> {
  const named = asked.ip_protocol ? String(asked.ip_protocol) : null
  const upper = named?.toUpperCase() ?? ''
  let { from_port: from, to_port: to } = { from_port: asked.from_port ?? null, to_port: asked.to_port ?? null }
  if (asked.group_id && from === null && to === null) {
    if (upper === 'ICMP') [from, to] = [-1, -1]
    if (upper === 'TCP' || upper === 'UDP') [from, to] = [1, 65_535]
  }
  if (named === null || from === null || to === null) {
    if (asked.group_id) return { protocol: null, from_port: null, to_port: null }
    throw new BadRequest('Not enough parameters to build a valid rule.')
  }
  const ports = [from, to].map(wholeOf)
  const [first, last] = ports
  if (first === undefined || last === undefined)
    throw invalid(
      upper === 'ICMP' ? 'Type and Code must be integers for ICMP protocol type' : 'To and From ports must be integers',
    )
  if (!['TCP', 'UDP', 'ICMP'].includes(upper)) throw new BadRequest(`Invalid IP protocol ${named.slice(0, 255)}.`)
  const refuse = (reason: string) => new BadRequest(`Invalid port range ${first}:${last}. ${reason}`)
  if (upper === 'ICMP') {
    if ([first, last].some(value => value < -1 || value > 255)) throw refuse('For ICMP, the type:code must be valid')
  } else {
    if (first > last) throw refuse('Former value cannot be greater than the later')
    if (first < 1 || last > 65_535) throw refuse(`Valid ${upper} ports should be between 1-65535`)
  }
  return { protocol: named, from_port: first, to_port: last }
}

function wholeOf(value: unknown): number | undefined {
  const number =
    typeof value === 'number' || /^\s*-?\d+\s*$/.test(String(value)) ? Math.trunc(Number(value)) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}

function isSame(rule: ComputeSecurityGroup['rules'][number], checked: Checked): boolean {
  return (
    rule.ip_protocol === (checked.protocol?.toLowerCase() ?? null) &&
    rule.from_port === checked.from_port &&
    rule.to_port === checked.to_port &&
    checked.group_id === null &&
    rule.ip_range.cidr === checked.cidr
  )
}
