/** Resource classes: which there are, and the custom ones' making, renaming and end. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { addressOf, dated, linksSchema, pathOf, placementRule } from '../dialect.ts'
import { inventories } from '../providers/store.ts'
import { createClass, isStandardClass, renameClass } from './class.ts'
import { standardClasses } from './standard-classes.ts'
import { customClasses, lockClass } from './store.ts'

const ruleOf = (verb: string) => placementRule(`resource_classes:${verb}`)

const collection = '/resource_classes'
const member = '/resource_classes/{name}'

const customName = Type.Object(
  { name: Type.String({ pattern: '^CUSTOM_[A-Z0-9_]+$', maxLength: 255 }) },
  { additionalProperties: false },
)
const shown = Type.Object({ name: Type.String(), links: linksSchema })

const noClass = (name: string) => new NotFound(`No such resource class ${name}.`)

const view = (name: string): Static<typeof shown> => ({
  name,
  links: [{ rel: 'self', href: pathOf('resource_classes', name) }],
})

const locationOf = (ctx: Ctx, name: string) => ({ location: addressOf(ctx, 'resource_classes', name) })

const list = operation({
  id: 'placement.resource_classes.list',
  method: 'GET',
  path: collection,
  summary: 'List resource classes',
  versions: { min: '1.2' },
  policy: ruleOf('list'),
  response: Type.Object({ resource_classes: Type.Array(shown) }),
  async handle(ctx) {
    const custom = await customClasses.list(ctx.db, {}, { orderBy: [{ column: 'created_at', direction: 'asc' }] })
    return dated(ctx, { resource_classes: [...standardClasses, ...custom.map(row => row.name)].map(view) })
  },
})

const create = operation({
  id: 'placement.resource_classes.create',
  method: 'POST',
  path: collection,
  summary: 'Create a custom resource class',
  versions: { min: '1.2' },
  policy: ruleOf('create'),
  request: customName,
  async handle(ctx, { body: { name } }) {
    if (!(await createClass(ctx, name))) throw new Conflict(`Conflicting resource class already exists: ${name}`)
    return reply(undefined, { status: 201, headers: locationOf(ctx, name) })
  },
})

const show = operation({
  id: 'placement.resource_classes.show',
  method: 'GET',
  path: member,
  summary: 'Show a resource class',
  versions: { min: '1.2' },
  policy: ruleOf('show'),
  response: shown,
  async handle(ctx, { params: { name } }) {
    const row = await customClasses.find(ctx.db, { name })
    if (!row && !isStandardClass(name)) throw noClass(name)
    return dated(ctx, view(name), { at: row?.created_at })
  },
})

const rename = operation({
  id: 'placement.resource_classes.rename',
  method: 'PUT',
  path: member,
  summary: 'Rename a custom resource class',
  versions: { min: '1.2', max: '1.6' },
  policy: ruleOf('update'),
  request: customName,
  response: shown,
  async handle(ctx, { params: { name }, body }) {
    if (isStandardClass(name)) throw new BadRequest(`Cannot update standard resource class ${name}`)
    if (!(await ctx.transaction(tx => renameClass(tx, name, body.name)))) throw noClass(name)
    return view(body.name)
  },
})

const put = operation({
  id: 'placement.resource_classes.ensure',
  method: 'PUT',
  takes: 'nothing',
  status: 201,
  path: member,
  summary: 'Create a custom resource class, when there is none of the name',
  versions: { min: '1.7' },
  policy: ruleOf('update'),
  async handle(ctx, { params: { name } }) {
    const problem = problemOf(customName, { name })
    if (problem) throw new BadRequest(problem.message, { extra: { reason: problem.message, rule: problem.rule } })
    const made = await createClass(ctx, name)
    return reply(undefined, { status: made ? 201 : 204, headers: locationOf(ctx, name) })
  },
})

const remove = operation({
  id: 'placement.resource_classes.delete',
  method: 'DELETE',
  path: member,
  summary: 'Delete a custom resource class of which there is no inventory',
  versions: { min: '1.2' },
  policy: ruleOf('delete'),
  async handle(ctx, { params: { name } }) {
    const about = 'Error in delete resource class: Cannot delete'
    if (isStandardClass(name)) throw new BadRequest(`${about} standard resource class ${name}.`)
    await ctx.transaction(async tx => {
      if (!(await lockClass(tx, name))) throw noClass(name)
      if ((await inventories.count(tx.db, { resource_class: name })) > 0)
        throw new Conflict(`${about} resource class ${name}. Class is in use in inventory.`)
      await customClasses.remove(tx.db, { name })
    })
    return undefined
  },
})

export const classOperations: Operation[] = [list, create, show, rename, put, remove]
