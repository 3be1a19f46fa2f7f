/** Tags of a server. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { body } from '../dialect.ts'
import { tell } from '../events.ts'
import { loadServer } from './access.ts'
import { stateConflict } from './action.ts'
import { tag } from './create-schema.ts'
import type { ServerRow, VmState } from './server.ts'
import { setTags, tagsOf } from './store-tags.ts'

const path = '/v2.1/servers/{server_id}/tags'
const versions = { min: '2.26' } as const
const mostTags = 50
const settled: VmState[] = ['active', 'paused', 'suspended', 'stopped']
const names = Type.Array(tag, { maxItems: mostTags })

const reads = (verb: string) => rule(`os_compute_api:os-server-tags:${verb}`, projectReaderOrAdmin)
const writes = (verb: string) => rule(`os_compute_api:os-server-tags:${verb}`, projectMemberOrAdmin)

/** Changes the tags in one transaction; `to` gets those of now. */
async function change(ctx: Ctx, server: ServerRow, action: string, to: (had: string[]) => string[]): Promise<string[]> {
  if (!settled.includes(server.vm_state)) throw stateConflict(server.id, action, 'vm_state', server.vm_state)
  return ctx.transaction(async tx => {
    const changed = [...new Set(to(await tagsOf(tx, server.id)))]
    await setTags(tx, server.id, changed)
    await tell(tx, server.id, 'update', { tags: changed })
    return changed
  })
}

export const tagOperations: Operation[] = [
  operation({
    id: 'compute.server_tags.list',
    method: 'GET',
    path,
    summary: 'List the tags of a server',
    versions,
    policy: reads('index'),
    load: loadServer,
    response: Type.Object({ tags: names }),
    handle: async (ctx, { target }) => ({ tags: await tagsOf(ctx, target.id) }),
  }),
  operation({
    id: 'compute.server_tags.replace',
    method: 'PUT',
    path,
    summary: 'Replace the tags of a server',
    versions,
    policy: writes('update_all'),
    load: loadServer,
    request: body('tags', names),
    response: Type.Object({ tags: names }),
    handle: async (ctx, { target, body: { tags } }) => ({
      tags: (await change(ctx, target, 'update tags', () => tags)).sort(),
    }),
  }),
  operation({
    id: 'compute.server_tags.clear',
    method: 'DELETE',
    path,
    summary: 'Take all tags off a server',
    versions,
    policy: writes('delete_all'),
    load: loadServer,
    async handle(ctx, { target }) {
      await change(ctx, target, 'delete tags', () => [])
      return undefined
    },
  }),
  operation({
    id: 'compute.server_tags.show',
    method: 'GET',
    path: `${path}/{tag}`,
    summary: 'Check whether a server has a tag',
    status: 204,
    versions,
    policy: reads('show'),
    load: loadServer,
    async handle(ctx, { target, params }) {
      if ((await tagsOf(ctx, target.id)).includes(params.tag)) return undefined
      throw new NotFound(`Server ${target.id} has no tag '${params.tag}'`)
    },
  }),
  operation({
    id: 'compute.server_tags.add',
    method: 'PUT',
    path: `${path}/{tag}`,
    summary: 'Put a tag on a server',
    status: 204,
    versions,
    policy: writes('update'),
    load: loadServer,
    async handle(ctx, { target, params, url }) {
      const problem = problemOf(tag, params.tag)
      if (problem) {
        throw new BadRequest(
          `Tag '${params.tag}' is invalid. It must be a non empty string without characters '/' and ','. ` +
            `Validation error message: ${problem.message}`,
        )
      }
      let added = false
      await change(ctx, target, 'update tag', had => {
        if (had.includes(params.tag)) return had
        if (had.length >= mostTags) throw new BadRequest(`The number of tags exceeded the per-server limit ${mostTags}`)
        added = true
        return [...had, params.tag]
      })
      const location = `${ctx.base}${url.split('?')[0]}`
      return added ? reply(undefined, { status: 201, headers: { location } }) : reply(undefined, { status: 204 })
    },
  }),
  operation({
    id: 'compute.server_tags.delete',
    method: 'DELETE',
    path: `${path}/{tag}`,
    summary: 'Take a tag off a server',
    versions,
    policy: writes('delete'),
    load: loadServer,
    async handle(ctx, { target, params }) {
      await change(ctx, target, 'delete tag', had => {
        if (!had.includes(params.tag)) throw new NotFound(`Instance ${target.id} has no tag '${params.tag}'`)
        return had.filter(name => name !== params.tag)
      })
      return undefined
    },
  }),
]
