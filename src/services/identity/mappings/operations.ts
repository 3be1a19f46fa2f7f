/** Mappings: rules by which an identity provider's users become users here. */
import { BadRequest } from '#kernel/errors.ts'
import { type TSchema, Type } from '#kernel/schema/builders.ts'
import { closeWaysOf } from '../federation/federation.ts'
import { linkTo } from '../listing.ts'
import type { MappingRule } from '../mapping-rules.ts'
import { ofOperators } from '../policy.ts'
import { resource } from '../resource.ts'
import { type MappingRow, mappings } from './store.ts'

const closed = { additionalProperties: false }
const text = Type.String({ maxLength: 4096 })
const optional = Type.Optional(text)
const domain = Type.Optional(Type.Object({ id: optional, name: optional }, closed))
const values = Type.Array(text, { maxItems: 1000 })

const remote = Type.Union([
  Type.Object({ type: text }, closed),
  ...(['any_one_of', 'not_any_of', 'blacklist', 'whitelist'] as const).map(kind =>
    Type.Object(
      { type: text, [kind]: values, regex: Type.Optional(Type.Boolean()) } as Record<string, TSchema>,
      closed,
    ),
  ),
])

const local = Type.Object(
  {
    user: Type.Optional(
      Type.Object(
        {
          id: optional,
          name: optional,
          email: optional,
          domain,
          type: Type.Optional(Type.Union([Type.Literal('ephemeral'), Type.Literal('local')])),
        },
        closed,
      ),
    ),
    group: Type.Optional(
      Type.Union([
        Type.Object({ id: text }, closed),
        Type.Object({ name: text, domain: Type.Object({ id: optional, name: optional }, closed) }, closed),
      ]),
    ),
    groups: optional,
    group_ids: optional,
    domain,
    projects: Type.Optional(
      Type.Array(Type.Object({ name: text, roles: Type.Array(Type.Object({ name: text }, closed)), domain }, closed), {
        maxItems: 1000,
      }),
    ),
    projects_json: optional,
  },
  closed,
)

const rules = Type.Array(
  Type.Object(
    { local: Type.Array(local, { maxItems: 1000 }), remote: Type.Array(remote, { minItems: 1, maxItems: 100 }) },
    closed,
  ),
  { minItems: 1, maxItems: 1000 },
)

/** Expressions that cannot be read are refused now, not at a login. */
function checkExpressions(list: readonly MappingRule[]): void {
  for (const { type, regex, ...conditions } of list.flatMap(rule => rule.remote)) {
    if (!regex) continue
    for (const pattern of Object.values(conditions).flat()) {
      try {
        new RegExp(String(pattern), 'u')
      } catch {
        throw new BadRequest(`${pattern}, for ${type}, is not a regular expression.`)
      }
    }
  }
}

function checkVersion(list: readonly MappingRule[], version: unknown): void {
  if (version !== '3.0' && list.some(rule => rule.local.some(local => local.projects_json !== undefined))) {
    throw new BadRequest('projects_json is of mappings with schema_version 3.0.')
  }
}

export const mappingResource = resource<MappingRow>({
  member: 'mapping',
  collection: 'mappings',
  extension: 'OS-FEDERATION',
  store: mappings,
  chosenId: 'in path',
  strict: true,
  attributes: {
    rules,
    schema_version: Type.Union([Type.Literal('1.0'), Type.Literal('2.0'), Type.Literal('3.0')]),
  },
  required: ['rules'],
  filters: [],
  policy: ofOperators,
  view: (ctx, { id, rules, schema_version }) => ({
    id,
    rules,
    schema_version,
    links: linkTo(ctx, `OS-FEDERATION/mappings/${id}`),
  }),
  duplicate: values => `Duplicate entry found with ID ${values.id}`,
  async create(ctx, values) {
    const list = values.rules as MappingRule[]
    checkExpressions(list)
    checkVersion(list, values.schema_version)
    const row = {
      id: String(values.id),
      rules: list,
      schema_version: String(values.schema_version ?? '1.0'),
      extra: {},
    }
    await mappings.insert(ctx.db, row)
    return row
  },
  async update(_ctx, row, patch) {
    const { rules, schema_version } = { ...row, ...patch } as MappingRow
    if (patch.rules) checkExpressions(rules)
    checkVersion(rules, schema_version)
    return patch as Partial<MappingRow>
  },
  remove: (ctx, { id }) => closeWaysOf(ctx, id),
})
