/** Filters of port lists that are not a column: addresses, subnets, security groups. */
import type { Expression, SqlBool } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import type { AnyBuilder } from '#kernel/db/rows.ts'
import { badRequest } from '#kernel/resource-attributes.ts'
import { normalAddress } from '../addresses.ts'
import { withAddress, withAddressLike, withGroup, withSubnet } from './store.ts'

type Filter = (ctx: Ctx, eb: AnyBuilder, values: string[]) => Expression<SqlBool>

/** `fixed_ips=ip_address=10.0.0.5`, `fixed_ips=subnet_id=…`, `fixed_ips=ip_address_substr=10.0`; values of one key are alternatives. */
const fixedIps: Filter = (_ctx, eb, values) => {
  const byKey = new Map<string, string[]>()
  for (const value of values.flatMap(one => one.split(','))) {
    const at = value.indexOf('=')
    const key = value.slice(0, at)
    byKey.set(key, [...(byKey.get(key) ?? []), value.slice(at + 1)])
  }
  const conditions = [...byKey].map(([key, wanted]) => {
    if (key === 'ip_address') return withAddress(wanted.map(address => normalAddress(address) ?? address))
    if (key === 'subnet_id') return withSubnet(wanted)
    if (key === 'ip_address_substr') return eb.and(wanted.map(withAddressLike))
    throw badRequest(`Invalid input for fixed_ips. Reason: '${key}' is not a key of a fixed IP.`)
  })
  return eb.and(conditions)
}

export const portFilters: Record<string, Filter> = {
  fixed_ips: fixedIps,
  security_groups: (_ctx, _eb, values) => withGroup(values),
}
