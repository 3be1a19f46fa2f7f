/** Server groups: list, show, create, delete. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { BadRequest, OverQuota } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion, since, until } from '#kernel/schema/marks.ts'
import { body, integerOf, isAdmin, name, query, wholeNumber } from '../dialect.ts'
import { levelPattern, requireLevels } from '../places/place.ts'
import { quotaLimits, within } from '../quotas/quota.ts'
import { tellGroup } from '../resource-events.ts'
import { type GroupPolicy, groupPolicies, type ServerGroupRow } from './server-group.ts'
import { groupMembers, membersOf, serverGroupFor, serverGroups } from './store.ts'

const ruleOf = (verb: string, check: string) => rule(`os_compute_api:os-server-groups:${verb}`, check)
const allProjects = ruleOf('index:all_projects', admin)

const groupSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  policies: until('2.63', Type.Array(Type.String())),
  metadata: until('2.63', Type.Object({})),
  policy: since('2.64', Type.String()),
  rules: since('2.64', Type.Record(Type.String(), Type.Union([Type.Integer(), Type.String()]))),
  members: Type.Array(Type.String()),
  project_id: since('2.13', Type.String()),
  user_id: since('2.13', Type.String()),
})

function view(row: ServerGroupRow, members: string[]) {
  const { id, name, policy, rules, project_id, user_id } = row
  return { id, name, policies: [policy], metadata: {}, policy, rules: { ...rules }, members, project_id, user_id }
}

const list = operation({
  id: 'compute.server_groups.list',
  method: 'GET',
  path: '/v2.1/os-server-groups',
  summary: 'List server groups',
  policy: ruleOf('index', projectReaderOrAdmin),
  query: query({
    all_projects: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    offset: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  response: body('server_groups', Type.Array(groupSchema)),
  async handle(ctx, { query }) {
    // Anyone but an admin who asks for all projects gets the own one, as upstream has it.
    const all = query.all_projects !== undefined && isAdmin(ctx)
    if (all) ctx.enforce(allProjects)
    const found = await serverGroups.list(ctx.db, all ? {} : { project_id: ctx.identity.project_id ?? '' }, {
      orderBy: [
        { column: 'created_at', direction: 'asc' },
        { column: 'id', direction: 'asc' },
      ],
    })
    const offset = query.offset ?? 0
    const page = found.slice(offset, query.limit ? offset + query.limit : undefined)
    const members = await membersOf(
      ctx,
      page.map(row => row.id),
    )
    return { server_groups: page.map(row => view(row, members.get(row.id)!)) }
  },
})

const load = (ctx: Ctx, { params }: { params: { server_group_id: string } }) =>
  serverGroupFor(ctx, params.server_group_id).then(row => ({ ...row }))

const show = operation({
  id: 'compute.server_groups.show',
  method: 'GET',
  path: '/v2.1/os-server-groups/{server_group_id}',
  summary: 'Show a server group',
  policy: ruleOf('show', projectReaderOrAdmin),
  response: body('server_group', groupSchema),
  load,
  handle: async (ctx, { target }) => ({
    server_group: view(target, (await membersOf(ctx, [target.id])).get(target.id)!),
  }),
})

const onePolicy = (allowed: readonly GroupPolicy[]) => Type.Unsafe<GroupPolicy>({ type: 'string', enum: [...allowed] })
const policiesOf = (allowed: readonly GroupPolicy[]) =>
  body(
    'server_group',
    Type.Object(
      { name, policies: Type.Array(onePolicy(allowed), { minItems: 1, maxItems: 1 }) },
      { additionalProperties: false },
    ),
  )
const newest = body(
  'server_group',
  Type.Object(
    {
      name,
      policy: onePolicy(groupPolicies),
      rules: Type.Optional(
        Type.Object(
          {
            max_server_per_host: Type.Optional(wholeNumber(1)),
            level: Type.Optional(Type.String({ pattern: levelPattern })),
            max_server_per_place: Type.Optional(wholeNumber(1)),
          },
          { additionalProperties: false },
        ),
      ),
    },
    { additionalProperties: false },
  ),
)
const request = byVersion(
  { '2.1': policiesOf(['anti-affinity', 'affinity']), '2.15': policiesOf(groupPolicies), '2.64': newest },
  newest,
)

type Asked = Static<typeof newest>['server_group'] & { policies?: GroupPolicy[] }

/** Both forms of the body: a list of one policy until 2.63, a policy and its rules since. */
function wish({ policies, policy: alone, rules = {} }: Asked): Pick<ServerGroupRow, 'policy' | 'rules'> {
  const policy = policies?.[0] ?? alone
  const { level, max_server_per_host: perHost, max_server_per_place: perPlace } = rules
  // Members that share a rack may still be kept on different hosts of it.
  if (perHost !== undefined && policy !== (level === undefined ? 'anti-affinity' : 'affinity'))
    throw new BadRequest(
      level === undefined
        ? 'Only anti-affinity policy supports rules.'
        : 'With a level, max_server_per_host goes with policy affinity, and max_server_per_place with anti-affinity.',
    )
  if (perPlace !== undefined && (level === undefined || policy !== 'anti-affinity'))
    throw new BadRequest('max_server_per_place goes with a level and policy anti-affinity.')
  return {
    policy,
    rules: {
      ...(perHost !== undefined && { max_server_per_host: integerOf(perHost, 'max_server_per_host', 1) }),
      ...(level !== undefined && { level }),
      ...(perPlace !== undefined && { max_server_per_place: integerOf(perPlace, 'max_server_per_place', 1) }),
    },
  }
}

const create = operation({
  id: 'compute.server_groups.create',
  method: 'POST',
  path: '/v2.1/os-server-groups',
  summary: 'Create a server group',
  policy: ruleOf('create', projectMemberOrAdmin),
  request,
  response: body('server_group', groupSchema),
  async handle(ctx, { body: { server_group: asked } }) {
    const wanted = wish(asked)
    if (wanted.rules.level !== undefined) await requireLevels(ctx, [wanted.rules.level])
    const project_id = ctx.identity.project_id ?? ''
    const row: ServerGroupRow = {
      id: ctx.ids.uuid(),
      name: asked.name,
      project_id,
      user_id: ctx.identity.user_id,
      ...wanted,
      created_at: new Date(ctx.clock.now()).toISOString(),
    }
    await ctx.transaction(async tx => {
      await lock(tx.db, tx.database.engine, `compute server groups ${project_id}`)
      const { user_id } = row
      const all = await quotaLimits(tx, project_id)
      const own = await quotaLimits(tx, project_id, user_id)
      const fits =
        within(all.server_groups, await serverGroups.count(tx.db, { project_id })) &&
        within(own.server_groups, await serverGroups.count(tx.db, { project_id, user_id }))
      if (!fits) throw new OverQuota('Quota exceeded, too many server groups.')
      await serverGroups.insert(tx.db, row)
      await tellGroup(tx, 'create', row, [])
    })
    return { server_group: view(row, []) }
  },
})

const remove = operation({
  id: 'compute.server_groups.delete',
  method: 'DELETE',
  path: '/v2.1/os-server-groups/{server_group_id}',
  summary: 'Delete a server group; its servers stay',
  policy: ruleOf('delete', projectMemberOrAdmin),
  load,
  async handle(ctx, { target }) {
    await ctx.transaction(async tx => {
      await tellGroup(tx, 'delete', target, (await membersOf(tx, [target.id])).get(target.id)!)
      await groupMembers.remove(tx.db, { group_id: target.id })
      await serverGroups.remove(tx.db, { id: target.id })
    })
    return undefined
  },
})

export const serverGroupOperations: Operation[] = [list, show, create, remove]
export const serverGroupRules = [allProjects]
