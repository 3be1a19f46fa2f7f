/** Files of deleted servers that their hosts have kept: listed, brought back as images, removed. Not upstream's. */
import { type Ctx, createCtx, systemIdentity } from '#kernel/context.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { factsOf } from '#kernel/request-facts.ts'
import { Type } from '#kernel/schema/builders.ts'
import { hostName, name } from '../dialect.ts'
import { hostAgent } from '../host-agent.ts'
import { hosts } from '../hosts/store.ts'
import type { ServerRow } from '../servers/server.ts'
import { isUnreachable } from '../servers/steps.ts'
import { deletedServer, deletedServersOf } from '../servers/store.ts'
import { keptImageSaga } from './steps.ts'

const ruleOf = (verb: string) => rule(`nephos:kept-files:${verb}`, admin)

const kept = Type.Object({
  server_id: Type.String(),
  /** Null when nothing is known of the server any more. */
  name: Type.Union([Type.String(), Type.Null()]),
  project_id: Type.Union([Type.String(), Type.Null()]),
  deleted_at: Type.String(),
  until: Type.String(),
  bytes: Type.Integer(),
})

const list = operation({
  id: 'compute.kept_files.list',
  method: 'GET',
  path: '/v2.1/os-kept-files',
  summary: 'List files of deleted servers that a host has kept, the oldest first',
  policy: ruleOf('list'),
  query: Type.Object({ host: hostName }, { additionalProperties: false }),
  response: Type.Object({ kept_files: Type.Array(kept) }),
  async handle(ctx, { query: { host } }) {
    if (!(await hosts.find(ctx.db, { name: host }))) throw new NotFound(`Compute host ${host} could not be found.`)
    const found = await keptOn(ctx, host)
    const servers = await deletedServersOf(
      ctx,
      found.map(({ id }) => id),
    )
    const rows = found.map(({ id, deleted_at, until, bytes }) => {
      const { display_name = null, project_id = null } = servers.get(id) ?? {}
      return { server_id: id, name: display_name, project_id, deleted_at, until, bytes }
    })
    return { kept_files: rows.sort((a, b) => (a.deleted_at < b.deleted_at ? -1 : 1)) }
  },
})

async function keptOn(ctx: Ctx, host: string) {
  try {
    return await hostAgent(ctx, host).call('keptFiles', null, { request: ctx })
  } catch (error) {
    if (isUnreachable(error)) throw new Conflict(`Host ${host} does not answer.`)
    throw error
  }
}

/** A deleted server with its host, which has kept its files. */
async function keptServer(ctx: Ctx, id: string): Promise<ServerRow & { host: string }> {
  const server = await deletedServer(ctx, id)
  const host = server?.host
  if (!server || !host || !(await keptOn(ctx, host)).some(one => one.id === id))
    throw new NotFound(`No files are kept of a server ${id}.`)
  return { ...server, host }
}

const image = operation({
  id: 'compute.kept_files.image',
  method: 'POST',
  path: '/v2.1/os-kept-files/{server_id}/image',
  summary: 'Make an image of the root disk of a deleted server',
  policy: ruleOf('image'),
  request: Type.Object(
    {
      image: Type.Object(
        /** Whose it is to be; without one the server's. */
        { name: Type.Optional(name), project_id: Type.Optional(Type.String({ maxLength: 255 })) },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  response: Type.Object({ image_id: Type.String() }),
  async handle(ctx, { params: { server_id }, body }) {
    const server = await keptServer(ctx, server_id)
    const { name: called = `${server.display_name}-kept`, project_id = server.project_id } = body.image
    if (project_id !== server.project_id && !(await ctx.services.identity.project(ctx, project_id)))
      throw new BadRequest(`Project ID ${project_id} is not a valid project.`)
    const format = server.image?.disk_format ?? 'qcow2'
    // What is made, and done for it, is that project's.
    const owner = createCtx(ctx, { ...factsOf(ctx), identity: { ...systemIdentity, project_id } })
    const image_id = await owner.transaction(async tx => {
      const made = await tx.services.image.create(tx, {
        ...{ name: called, disk_format: format, container_format: 'bare', visibility: 'private' },
        ...{ min_disk: server.flavor.disk, min_ram: server.image?.min_ram ?? 0 },
        properties: { ...server.image?.properties, image_type: 'backup', instance_uuid: server_id },
      })
      const input = { server_id, host: server.host, image_id: made.id, format } as const
      await tx.sagas.start(tx, keptImageSaga, input, `kept files of ${server_id}`)
      return made.id
    })
    return reply({ image_id }, { status: 202 })
  },
})

const remove = operation({
  id: 'compute.kept_files.delete',
  method: 'DELETE',
  path: '/v2.1/os-kept-files/{server_id}',
  summary: 'Remove the files of a deleted server from its host',
  policy: ruleOf('delete'),
  status: 204,
  async handle(ctx, { params: { server_id } }) {
    const { host } = await keptServer(ctx, server_id)
    await hostAgent(ctx, host).call('dropKept', { id: server_id }, { request: ctx })
  },
})

export const keptFilesOperations: Operation[] = [list, image, remove]
