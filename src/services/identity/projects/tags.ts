/** Tags of projects. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listOf } from '../answers.ts'
import { linkTo } from '../listing.ts'
import { adminRequired, allScopes, identityRule, systemReader } from '../policy.ts'
import { findProject, projectTarget } from './project.ts'
import { type ProjectRow, projects } from './store.ts'

/** Neither `/` nor `,`: they would break paths and filters. */
export const tagSchema = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^,/]*$' })

const reader = `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.project.domain_id)s) or project_id:%(target.project.id)s`
const manager = `${adminRequired} or (role:manager and domain_id:%(target.project.domain_id)s)`

/** Whether a project's tags meet the query's `tags`, `tags-any`, `not-tags` and `not-tags-any`. */
export function tagsMatch(query: Record<string, unknown>, tags: readonly string[]): boolean {
  const asked = (name: string) => (typeof query[name] === 'string' ? query[name].split(',') : undefined)
  const has = (tag: string) => tags.includes(tag)
  const [all, any, notAll, notAny] = [asked('tags'), asked('tags-any'), asked('not-tags'), asked('not-tags-any')]
  return (!all || all.every(has)) && (!any || any.some(has)) && !notAll?.every(has) && !notAny?.some(has)
}

async function load(ctx: Ctx, { params }: { params: { project_id: string } }) {
  const row = await findProject(ctx, params.project_id)
  return { ...projectTarget(row), row }
}

/** Sets the tags of a row that may have changed meanwhile. */
async function changeTags(ctx: Ctx, { id }: ProjectRow, change: (tags: string[]) => string[]): Promise<string[]> {
  return ctx.transaction(async tx => {
    const tags = change((await findProject(tx, id)).tags)
    if (tags.length > 80) throw new BadRequest('A project has at most 80 tags.')
    await projects.update(tx.db, { id }, { tags })
    return tags
  })
}

const list = operation({
  id: 'identity.project_tags.list',
  method: 'GET',
  path: '/v3/projects/{project_id}/tags',
  summary: 'List the tags of a project',
  response: listOf('tags', Type.String()),
  policy: identityRule('list_project_tags', reader, allScopes),
  load,
  handle: async (ctx, { target }) => ({ tags: target.row.tags, links: linkTo(ctx, `projects/${target.row.id}/tags`) }),
})

const replace = operation({
  id: 'identity.project_tags.replace',
  method: 'PUT',
  path: '/v3/projects/{project_id}/tags',
  summary: 'Replace the tags of a project',
  response: listOf('tags', Type.String()),
  policy: identityRule('update_project_tags', manager, allScopes),
  request: Type.Object({ tags: Type.Array(tagSchema, { maxItems: 80, uniqueItems: true }) }),
  load,
  async handle(ctx, { target, body }) {
    const tags = await changeTags(ctx, target.row, () => body.tags)
    return { tags, links: linkTo(ctx, `projects/${target.row.id}/tags`) }
  },
})

const clear = operation({
  id: 'identity.project_tags.clear',
  method: 'DELETE',
  path: '/v3/projects/{project_id}/tags',
  summary: 'Remove all tags of a project',
  policy: identityRule('delete_project_tags', manager, allScopes),
  load,
  async handle(ctx, { target }) {
    await changeTags(ctx, target.row, () => [])
    return undefined
  },
})

const check = operation({
  id: 'identity.project_tags.check',
  method: 'GET',
  path: '/v3/projects/{project_id}/tags/{tag}',
  summary: 'Say whether a project has a tag',
  status: 204,
  policy: identityRule('get_project_tag', reader, allScopes),
  load,
  async handle(_ctx, { target, params }) {
    if (!target.row.tags.includes(params.tag)) throw new NotFound(`Could not find project tag: ${params.tag}.`)
    return reply(undefined, { status: 204 })
  },
})

const add = operation({
  id: 'identity.project_tags.add',
  method: 'PUT',
  path: '/v3/projects/{project_id}/tags/{tag}',
  summary: 'Add a tag to a project',
  takes: 'nothing',
  status: 201,
  policy: identityRule('create_project_tag', manager, allScopes),
  load,
  async handle(ctx, { target, params }) {
    if (!/^[^,/]{1,255}$/.test(params.tag)) throw new BadRequest(`Invalid input for field 'tag': ${params.tag}`)
    await changeTags(ctx, target.row, tags => [...new Set([...tags, params.tag])])
    return reply(undefined, { status: 201, headers: linkHeader(ctx, target.row.id, params.tag) })
  },
})

function linkHeader(ctx: Ctx, id: string, tag: string): Record<string, string> {
  return { location: linkTo(ctx, `projects/${id}/tags/${encodeURIComponent(tag)}`).self }
}

const remove = operation({
  id: 'identity.project_tags.delete',
  method: 'DELETE',
  path: '/v3/projects/{project_id}/tags/{tag}',
  summary: 'Remove a tag of a project',
  policy: identityRule('delete_project_tag', manager, allScopes),
  load,
  async handle(ctx, { target, params }) {
    await changeTags(ctx, target.row, tags => {
      if (!tags.includes(params.tag)) throw new NotFound(`Could not find project tag: ${params.tag}.`)
      return tags.filter(tag => tag !== params.tag)
    })
    return undefined
  },
})

export const tagOperations = [list, replace, clear, check, add, remove]
