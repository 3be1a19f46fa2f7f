/** Subnet pools: ranges that subnets are taken from without their users naming them. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { type Rule, rule } from '#kernel/policy/rule.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { boolean, checkedValue, text, toInteger } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { columnsOf, standardMembers, touch } from '#kernel/standard-row.ts'
import { formatCidr, parseCidr } from '../addresses.ts'
import { invalidInput } from '../errors.ts'
import { admin, projectMember, projectReader } from '../policy.ts'
import { reserve } from '../quotas/quota.ts'
import { subnetRows } from '../subnets/store.ts'
import { cidrsOf, gaps, joined, rangesOf, within } from './prefixes.ts'
import { lockPool } from './steps.ts'
import { type SubnetPoolRow, subnetPoolRows } from './store.ts'

const member = `${admin} or ${projectMember}`
const prefixList = {
  schema: Type.Array(Type.String({ format: 'cidr' }), { uniqueItems: true, maxItems: 200 }),
} as const
const length = {
  schema: Type.Integer({ minimum: 0, maximum: 128 }),
  convert: toInteger,
  create: true,
  update: true,
} as const

export const subnetPools: Resource<SubnetPoolRow> = resource<SubnetPoolRow>({
  path: '/v2.0/subnetpools',
  collection: 'subnetpools',
  member: 'subnetpool',
  notFound: { type: 'SubnetPoolNotFound', message: id => `Subnet pool ${id} could not be found.` },
  store: subnetPoolRows,
  policy: {
    create: member,
    show: `${admin} or ${projectReader} or rule:shared_subnetpools`,
    update: member,
    delete: member,
  },
  visible: (ctx, eb) => eb.or([eb('project_id', '=', ctx.identity.project_id ?? ''), eb('shared', '=', true)]),
  attributes: {
    name: text(255, { create: true, update: true, required: true }),
    prefixes: { ...prefixList, create: true, update: true, required: true },
    ip_version: { schema: Type.Integer() },
    default_prefixlen: length,
    min_prefixlen: length,
    max_prefixlen: length,
    default_quota: {
      schema: Type.Union([Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), Type.Null()]),
      convert: toInteger,
      create: true,
      update: true,
      default: null,
    },
    address_scope_id: { schema: Type.Null(), create: true, update: true, default: null, column: false },
    shared: boolean({ create: admin, default: false }),
    is_default: boolean({ create: admin, update: admin, default: false }),
  },
  hooks: {
    async create(ctx, values) {
      await reserve(ctx, values.project_id as string, 'subnetpool')
      const given = columnsOf<SubnetPoolRow>(subnetPools.spec.attributes, values)
      const { prefixes, ip_version } = readPrefixes(given.prefixes!)
      const min_prefixlen = given.min_prefixlen ?? (ip_version === 4 ? 8 : 64)
      const pool = {
        ...given,
        ...standardMembers(ctx, values),
        prefixes,
        ip_version,
        min_prefixlen,
        max_prefixlen: given.max_prefixlen ?? (ip_version === 4 ? 32 : 128),
        default_prefixlen: given.default_prefixlen ?? min_prefixlen,
      } as SubnetPoolRow
      checkBounds(pool)
      await checkDefault(ctx, pool)
      await subnetPoolRows.insert(ctx.db, pool)
      return pool
    },
    async update(ctx, row, patch) {
      const given = columnsOf<SubnetPoolRow>(subnetPools.spec.attributes, patch)
      if (given.prefixes) given.prefixes = readPrefixes(given.prefixes, row.ip_version).prefixes
      if (given.prefixes && !rangesOf(row.prefixes).every(range => within(rangesOf(given.prefixes!), range)))
        throw illegalUpdate('Existing prefixes must be a subset of the new prefixes')
      const next = { ...row, ...given }
      checkBounds(next)
      await checkDefault(ctx, next)
      return touch(ctx, subnetPoolRows, row, given)
    },
    async remove(ctx, row) {
      await lockPool(ctx, row.id)
      if (await subnetRows.find(ctx.db, { subnetpool_id: row.id }))
        throw new Conflict('Unable to delete subnet pool: Subnet pool has existing allocations.', {
          type: 'SubnetPoolDeleteError',
        })
      await subnetPoolRows.remove(ctx.db, { id: row.id })
    },
    view: async (_ctx, rows) => rows.map(() => ({ address_scope_id: null })),
  },
})

const illegalUpdate = (reason: string) =>
  new BadRequest(`Illegal subnetpool update : ${reason}.`, { type: 'IllegalSubnetPoolUpdate' })

/** The fewest ranges that say the same, and their version. */
function readPrefixes(wanted: string[], version?: 4 | 6): { prefixes: string[]; ip_version: 4 | 6 } {
  if (wanted.length === 0) throw new BadRequest('Empty subnet pool prefix list.', { type: 'EmptySubnetPoolPrefixList' })
  const ranges = wanted.map(one => parseCidr(one)!)
  const ip_version = version ?? ranges[0]!.version
  if (ranges.some(range => range.version !== ip_version))
    throw new BadRequest('Cannot mix IPv4 and IPv6 prefixes in a subnet pool.', { type: 'PrefixVersionMismatch' })
  return { prefixes: joined(ranges).flatMap(cidrsOf).map(formatCidr), ip_version }
}

function checkBounds(pool: SubnetPoolRow): void {
  const most = pool.ip_version === 4 ? 32 : 128
  const bounds: [string, number, string, number, boolean][] = [
    ['max_prefixlen', pool.max_prefixlen, 'ip_version', most, pool.max_prefixlen > most],
    ['min_prefixlen', pool.min_prefixlen, 'max_prefixlen', pool.max_prefixlen, pool.min_prefixlen > pool.max_prefixlen],
    [
      'default_prefixlen',
      pool.default_prefixlen,
      'min_prefixlen',
      pool.min_prefixlen,
      pool.default_prefixlen < pool.min_prefixlen,
    ],
    [
      'default_prefixlen',
      pool.default_prefixlen,
      'max_prefixlen',
      pool.max_prefixlen,
      pool.default_prefixlen > pool.max_prefixlen,
    ],
  ]
  for (const [name, value, other, limit, wrong] of bounds)
    if (wrong)
      throw new BadRequest(`Illegal prefix bounds: ${name}=${value}, ${other}=${limit}.`, {
        type: 'IllegalSubnetPoolPrefixBounds',
      })
}

async function checkDefault(ctx: Ctx, { id, ip_version, is_default }: SubnetPoolRow): Promise<void> {
  const other = is_default && (await subnetPoolRows.find(ctx.db, { is_default: true, ip_version }))
  if (other && other.id !== id)
    throw invalidInput(
      `A default subnetpool for this IP family has already been set. Only one default may exist per IP family`,
    )
}

const guards = {
  add: rule('add_prefixes', member),
  remove: rule('remove_prefixes', member),
}
export const subnetPoolRules: Rule[] = [
  ...Object.values(guards),
  rule('shared_subnetpools', 'field:subnetpools:shared=True', { description: 'The subnet pool is shared.' }),
]

function prefixOperation(
  verb: 'add' | 'remove',
  change: (ctx: Ctx, pool: SubnetPoolRow, sent: string[]) => Promise<string[]>,
) {
  return operation({
    id: `network.subnetpools.${verb}_prefixes`,
    method: 'PUT',
    path: `/v2.0/subnetpools/{id}/${verb}_prefixes`,
    summary: verb === 'add' ? 'Add prefixes to a subnet pool' : 'Remove prefixes from a subnet pool',
    policy: 'authenticated',
    request: Type.Object({ prefixes: Type.Unknown() }),
    response: Type.Object({ prefixes: Type.Array(Type.String()) }),
    async handle(ctx, { params, body }) {
      return ctx.transaction(async tx => {
        const pool = await subnetPools.loadFor(tx, guards[verb], params.id)
        const sent = readPrefixes(checkedValue('prefixes', prefixList, body.prefixes) as string[], pool.ip_version)
        const prefixes = await change(tx, pool, sent.prefixes)
        await touch(tx, subnetPoolRows, pool, { prefixes })
        return { prefixes }
      })
    },
  })
}

const addPrefixes = prefixOperation(
  'add',
  async (_ctx, pool, sent) => readPrefixes([...pool.prefixes, ...sent]).prefixes,
)

const removePrefixes = prefixOperation('remove', async (ctx, pool, sent) => {
  const left = gaps(rangesOf(pool.prefixes), rangesOf(sent)).flatMap(cidrsOf)
  const subnets = await subnetRows.list(ctx.db, { subnetpool_id: pool.id })
  if (!subnets.every(subnet => within(left, parseCidr(subnet.cidr)!)))
    throw illegalUpdate('One or more prefixes to be removed is in use by a subnet')
  return left.map(formatCidr)
})

export const subnetPoolOperations = [addPrefixes, removePrefixes]
