/** Taking subnets out of pools. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { BadRequest, Conflict, OverQuota } from '#kernel/errors.ts'
import { type Cidr, parseCidr } from '../addresses.ts'
import { badResource, invalidInput } from '../errors.ts'
import { type SubnetRow, subnetRows } from '../subnets/store.ts'
import { freeSubnet, meetsAny, rangesOf, within } from './prefixes.ts'
import { type SubnetPoolRow, subnetPoolRows } from './store.ts'

/** Makes others who take from the pool or change it wait until this transaction ends. */
export const lockPool = (ctx: Ctx, poolId: string) => lock(ctx.db, ctx.database.engine, `subnetpools:${poolId}`)

export async function defaultPool(ctx: Ctx, ip_version: 4 | 6): Promise<SubnetPoolRow> {
  const pool = await subnetPoolRows.find(ctx.db, { is_default: true, ip_version })
  if (!pool) throw badResource('subnets', `No default subnetpool found for IPv${ip_version}`)
  return pool
}

export interface Taking {
  project_id: string
  ip_version: 4 | 6
  cidr: Cidr | undefined
  prefixlen: number | undefined
}

/** The range of a new subnet: the one asked for, or any of its length. */
export async function takeRange(ctx: Ctx, pool: SubnetPoolRow, wanted: Taking): Promise<Cidr> {
  if (wanted.ip_version !== pool.ip_version)
    throw invalidInput(`Cannot allocate IPv${wanted.ip_version} subnet from IPv${pool.ip_version} subnet pool`)
  if (wanted.cidr && wanted.prefixlen !== undefined)
    throw badResource('subnets', 'cidr and prefixlen must not be supplied together')
  await lockPool(ctx, pool.id)
  const prefix = wanted.cidr?.prefix ?? wanted.prefixlen ?? pool.default_prefixlen
  checkLength(pool, prefix)
  const subnets = await subnetRows.list(ctx.db, { subnetpool_id: pool.id })
  checkQuota(pool, subnets, wanted.project_id, prefix)
  const ranges = rangesOf(pool.prefixes)
  const taken = subnets.map(subnet => parseCidr(subnet.cidr)!)
  if (!wanted.cidr) {
    const found = freeSubnet(ranges, taken, prefix)
    if (!found) throw noRoom(`Insufficient prefix space to allocate subnet size /${prefix}`)
    return found
  }
  if (!within(ranges, wanted.cidr) || meetsAny(wanted.cidr, taken))
    throw noRoom('Cannot allocate requested subnet from the available set of prefixes')
  return wanted.cidr
}

const noRoom = (reason: string) =>
  new Conflict(`Failed to allocate subnet: ${reason}.`, { type: 'SubnetAllocationError' })

function checkLength({ min_prefixlen, max_prefixlen }: SubnetPoolRow, prefix: number): void {
  const words = `Unable to allocate subnet with prefix length ${prefix}`
  if (prefix > max_prefixlen)
    throw new BadRequest(`${words}, maximum allowed prefix is ${max_prefixlen}.`, {
      type: 'MaxPrefixSubnetAllocationError',
    })
  if (prefix < min_prefixlen)
    throw new BadRequest(`${words}, minimum allowed prefix is ${min_prefixlen}.`, {
      type: 'MinPrefixSubnetAllocationError',
    })
}

function checkQuota(pool: SubnetPoolRow, subnets: SubnetRow[], projectId: string, prefix: number): void {
  if (pool.default_quota === null) return
  const width = pool.ip_version === 4 ? 32 : 64
  const units = (length: number) => 2 ** Math.max(0, width - length)
  const own = subnets.filter(subnet => subnet.project_id === projectId)
  const used = own.reduce((sum, subnet) => sum + units(parseCidr(subnet.cidr)!.prefix), 0)
  if (used + units(prefix) > pool.default_quota)
    throw new OverQuota('Per-project subnet pool prefix quota exceeded.', {
      status: 409,
      type: 'SubnetPoolQuotaExceeded',
    })
}
