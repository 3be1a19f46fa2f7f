/** How security groups read in compute's API. */
import { Type } from '#kernel/schema/builders.ts'

/** The last version with proxies to other services. */
export const proxied = { max: '2.35' } as const

const whole = Type.Union([Type.Integer(), Type.Null()])

export const securityGroupRule = Type.Object({
  id: Type.String(),
  parent_group_id: Type.String(),
  ip_protocol: Type.Union([Type.String(), Type.Null()]),
  from_port: whole,
  to_port: whole,
  group: Type.Object({ name: Type.Optional(Type.String()), tenant_id: Type.Optional(Type.String()) }),
  ip_range: Type.Object({ cidr: Type.Optional(Type.String()) }),
})

export const securityGroup = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  tenant_id: Type.String(),
  rules: Type.Array(securityGroupRule),
})

export const securityGroups = Type.Object({ security_groups: Type.Array(securityGroup) })
