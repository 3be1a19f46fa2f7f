/** Metadata of a server: all items at once, or one. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { projectMemberOrAdmin, projectReaderOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body, metadata } from '../dialect.ts'
import { tell } from '../events.ts'
import { checkKeys } from '../metadata-keys.ts'
import { loadServer, requireUnlocked } from './access.ts'
import { stateConflict } from './action.ts'
import { checkContents } from './quota.ts'
import type { ServerRow, VmState } from './server.ts'
import { findServer, updateServer } from './store.ts'

const items = metadata(Type.String({ maxLength: 255 }))
const path = '/v2.1/servers/{server_id}/metadata'
const settled: VmState[] = ['active', 'paused', 'suspended', 'stopped']

const reads = (verb: string) => rule(`os_compute_api:server-metadata:${verb}`, projectReaderOrAdmin)
const writes = (verb: string) => rule(`os_compute_api:server-metadata:${verb}`, projectMemberOrAdmin)

type Items = Record<string, string>

/** Reads, changes and writes the items in one transaction, so that no other change is lost. */
async function change(ctx: Ctx, server: ServerRow, action: string, to: (items: Items) => Items): Promise<Items> {
  requireUnlocked(ctx, server)
  return ctx.transaction(async tx => {
    const now = (await findServer(tx, server.id)) ?? server
    if (!settled.includes(now.vm_state)) throw stateConflict(now.id, action, 'vm_state', now.vm_state)
    const changed = to(now.metadata)
    checkKeys(tx, changed, now.metadata)
    await checkContents(tx, server.project_id, changed, [])
    await updateServer(tx, server.id, { metadata: changed })
    await tell(tx, server.id, 'update')
    return changed
  })
}

function itemOf(server: ServerRow, key: string): string {
  const value = Object.hasOwn(server.metadata, key) ? server.metadata[key] : undefined
  if (value === undefined) throw new NotFound('Metadata item was not found')
  return value
}

export const metadataOperations: Operation[] = [
  operation({
    id: 'compute.server_metadata.list',
    method: 'GET',
    path,
    summary: 'List the metadata of a server',
    policy: reads('index'),
    load: loadServer,
    response: Type.Object({ metadata: items }),
    handle: async (_ctx, { target }) => ({ metadata: target.metadata }),
  }),
  operation({
    id: 'compute.server_metadata.merge',
    method: 'POST',
    path,
    summary: 'Add to the metadata of a server',
    policy: writes('create'),
    load: loadServer,
    request: body('metadata', items),
    response: Type.Object({ metadata: items }),
    handle: async (ctx, { target, body: sent }) => ({
      metadata: await change(ctx, target, 'update metadata', had => ({ ...had, ...sent.metadata })),
    }),
  }),
  operation({
    id: 'compute.server_metadata.replace',
    method: 'PUT',
    path,
    summary: 'Replace the metadata of a server',
    policy: writes('update_all'),
    load: loadServer,
    request: body('metadata', items),
    response: Type.Object({ metadata: items }),
    handle: async (ctx, { target, body: sent }) => ({
      metadata: await change(ctx, target, 'update metadata', () => sent.metadata),
    }),
  }),
  operation({
    id: 'compute.server_metadata.show',
    method: 'GET',
    path: `${path}/{key}`,
    summary: 'Show an item of the metadata of a server',
    policy: reads('show'),
    load: loadServer,
    response: Type.Object({ meta: items }),
    handle: async (_ctx, { target, params }) => ({ meta: { [params.key]: itemOf(target, params.key) } }),
  }),
  operation({
    id: 'compute.server_metadata.update',
    method: 'PUT',
    path: `${path}/{key}`,
    summary: 'Set an item of the metadata of a server',
    policy: writes('update'),
    load: loadServer,
    request: body('meta', items),
    response: Type.Object({ meta: items }),
    async handle(ctx, { target, params, body: { meta } }) {
      const value = Object.hasOwn(meta, params.key) ? meta[params.key] : undefined
      if (value === undefined || Object.keys(meta).length !== 1) throw new BadRequest('Request body and URI mismatch')
      await change(ctx, target, 'update metadata', had => ({ ...had, [params.key]: value }))
      return { meta: { [params.key]: value } }
    },
  }),
  operation({
    id: 'compute.server_metadata.delete',
    method: 'DELETE',
    path: `${path}/{key}`,
    summary: 'Delete an item of the metadata of a server',
    policy: writes('delete'),
    load: loadServer,
    async handle(ctx, { target, params }) {
      itemOf(target, params.key)
      await change(ctx, target, 'delete metadata', had => {
        const { [params.key]: _gone, ...rest } = had
        return rest
      })
      return undefined
    },
  }),
]
