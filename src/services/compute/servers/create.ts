/** Create servers: checked, counted, placed and claimed in one transaction; a saga builds each on its host. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { tellTaskError } from '../choice-events.ts'
import { computeConfig } from '../config.ts'
import { isTrue, linksSchema } from '../dialect.ts'
import { tell } from '../events.ts'
import { asExtended } from '../extensions/steps.ts'
import { joinGroup } from '../server-groups/store.ts'
import { type BuildRequest, buildRequest } from './build-request.ts'
import { buildServer } from './create-saga.ts'
import { type CreateBody, createRequest } from './create-schema.ts'
import { newDiskKey } from './encryption.ts'
import { noValidHost } from './explanation.ts'
import { place, SchedulerAway } from './placing.ts'
import { placeLater } from './placing-later.ts'
import { beginPlan } from './plan.ts'
import { admitted } from './quota.ts'
import { amountsOf } from './resources.ts'
import type { RequestSpec, ServerRow } from './server.ts'
import { insertServer, insertServers, type NewServer } from './store.ts'
import { keepExplanation } from './store-asked.ts'
import { keepBuildRequests } from './store-build-requests.ts'
import { cell0, cell1 } from './store-cells.ts'
import { serverLinks } from './view.ts'
import { claimDevices } from './volumes.ts'

export const createServer = operation({
  id: 'compute.servers.create',
  method: 'POST',
  path: '/v2.1/servers',
  summary: 'Create one or more servers',
  policy: rule('os_compute_api:servers:create', projectMemberOrAdmin),
  request: createRequest,
  outdated: {
    'server.block_device_mapping': 'block_device_mapping_v2',
    'server.personality': 'user_data',
    'OS-SCH-HNT:scheduler_hints': 'os:scheduler_hints',
  },
  status: 202,
  response: Type.Union([
    Type.Object({
      server: Type.Object({
        id: Type.String(),
        links: linksSchema,
        'OS-DCF:diskConfig': Type.String(),
        security_groups: Type.Array(Type.Object({ name: Type.String() })),
        adminPass: Type.String(),
      }),
    }),
    Type.Object({ reservation_id: Type.String() }),
  ]),
  async handle(ctx, request) {
    const project = ctx.identity.project_id
    if (project === undefined) throw new BadRequest('A server belongs to a project: use a token that is scoped to one.')
    const body = await asExtended(ctx, request.body as CreateBody)
    const { rows, wanted } = await ctx.transaction(async tx => {
      const asked = await buildRequest(tx, body, project)
      return { rows: await createServers(tx, asked, project), wanted: asked }
    })
    const [first] = rows
    if (!first) throw new Error('no server was made')
    if (isTrue(body.server.return_reservation_id))
      return reply({ reservation_id: first.reservation_id }, { status: 202 })
    const links = serverLinks(ctx, first.id)
    const server = {
      id: first.id,
      links,
      'OS-DCF:diskConfig': first.disk_config,
      security_groups: wanted.security_groups.map(name => ({ name })),
      adminPass: wanted.guestData.admin_password,
    }
    return reply({ server }, { status: 202, headers: { location: links[0]!.href } })
  },
})

async function createServers(ctx: Ctx, asked: BuildRequest, project: string): Promise<ServerRow[]> {
  const { flavor, image } = asked
  const demand = { ...amountsOf(image, flavor), min_count: asked.min_count, max_count: asked.max_count }
  const count = await admitted(ctx, project, demand)
  const rows = newRows(ctx, asked, project, count)
  const { batch, whole } = ctx.config.of(computeConfig).plans
  const isWhole = isPlacedWhole(asked.spec)
  if (isWhole && count > whole)
    throw new BadRequest(`${count} servers cannot be placed as a whole: ask for at most ${whole} at once.`)
  const inBatches = count > batch && !isWhole
  if (inBatches) {
    await writeUnplaced(ctx, asked, rows)
    await beginPlan(ctx, rows)
  } else await placeServers(ctx, asked, project, rows)
  return rows
}

/** The user would rather be refused at once than have servers in ERROR. */
const isAllOrNothing = ({ scheduler_hints }: RequestSpec) => scheduler_hints.all_or_nothing?.[0] === 'true'

/** One of many batches could not know whether those after it find room. */
const isPlacedWhole = (spec: RequestSpec) => isAllOrNothing(spec) || spec.scheduler_hints.same_place !== undefined

/** Servers that are not placed while the caller waits, and everybody else: the rows are here, a saga does the rest. */
async function writeUnplaced(ctx: Ctx, asked: BuildRequest, rows: ServerRow[]): Promise<void> {
  const { networks, security_groups, spec } = asked
  await ctx.services.network.validate(ctx, networks, rows[0]!.project_id, rows.length)
  const made: NewServer[] = []
  for (const row of rows) made.push(await newServer(ctx, asked, row, null))
  await insertServers(ctx, made)
  await keepBuildRequests(
    ctx,
    rows.map(row => row.id),
    { networks, security_groups },
  )
  if (spec.group_id !== null) for (const row of rows) await joinGroup(ctx, spec.group_id, row.id)
  for (const row of rows) await claimDevices(ctx, row, asked.devices)
}

async function placeServers(ctx: Ctx, asked: BuildRequest, project: string, rows: ServerRow[]): Promise<void> {
  const { flavor, image, spec } = asked
  const request = { flavor, image, spec, ignore: [], project_id: project, user_id: ctx.identity.user_id }
  const placing = await place(
    ctx,
    request,
    rows.map(row => row.id),
  )
  if ('away' in placing && !isAllOrNothing(spec)) {
    await writeUnplaced(ctx, asked, rows)
    return placeLater(ctx, rows)
  }
  if ('away' in placing) throw new SchedulerAway()
  if (!('hosts' in placing) && isAllOrNothing(spec)) throw new Conflict(noValidHost(ctx, placing.explanation).message)
  for (const [index, row] of rows.entries()) {
    if (!('hosts' in placing)) {
      const failed: ServerRow = {
        ...row,
        vm_state: 'error',
        task_state: null,
        fault: noValidHost(ctx, placing.explanation),
      }
      await insertServer(ctx, await newServer(ctx, asked, failed, cell0))
      await keepExplanation(ctx, row.id, placing.explanation)
      await tell(ctx, row, 'create.start')
      const { message, details } = failed.fault!
      const fault = { exception: 'NoValidHost', message, step: 'choose a host', details }
      await tellTaskError(ctx, 'build_instances', row.id, fault)
      await tell(ctx, failed, 'create.error', { fault })
      ctx.afterCommit(() => ctx.log.warn({ subject: row.id, err: message }, 'a server could not be placed'))
      continue
    }
    const { host, node, zone } = placing.hosts[index]!
    const placed = { ...row, host, node, availability_zone: zone }
    await insertServer(ctx, await newServer(ctx, asked, placed, cell1))
    await tell(ctx, placed, 'create.start')
    if (spec.group_id !== null) await joinGroup(ctx, spec.group_id, row.id)
    await beginServer(ctx, asked, placed)
  }
}

/** Gives a server that has its host what it asked for besides, and begins to build it. */
export async function beginServer(
  ctx: Ctx,
  asked: BuildRequest,
  placed: ServerRow & { host: string; availability_zone: string },
): Promise<void> {
  const { id: server_id, hostname, project_id, availability_zone } = placed
  const owner = { server_id, hostname, project_id, availability_zone }
  await ctx.services.network.claimPorts(ctx, owner, asked.networks, asked.security_groups)
  await claimDevices(ctx, placed, asked.devices)
  await buildServer(ctx, { server_id, host: placed.host })
}

export async function newServer(
  ctx: Ctx,
  asked: BuildRequest,
  row: ServerRow,
  cell: string | null,
): Promise<NewServer> {
  const disk_key = await newDiskKey(ctx, asked.flavor, asked.image)
  const admin_password = await ctx.services.identity.sealed(ctx, asked.guestData.admin_password)
  const guestData = { ...asked.guestData, admin_password, disk_key }
  const { spec, tags, software, attributes } = asked
  return { row, cell, spec, guestData, tags, attributes, ...(software && { software }) }
}

export function newRows(ctx: Ctx, asked: BuildRequest, project: string, count: number): ServerRow[] {
  const now = new Date(ctx.clock.now()).toISOString()
  const reservation_id = `r-${ctx.ids.hex().slice(0, 8)}`
  const numbered = asked.max_count > 1
  return Array.from({ length: count }, (_, index) => {
    const id = ctx.ids.uuid()
    const display_name = numbered ? `${asked.name}-${index + 1}` : asked.name
    return {
      id,
      project_id: project,
      user_id: ctx.identity.user_id,
      reservation_id,
      launch_index: index,
      display_name,
      display_description: asked.description,
      hostname: asked.hostname ?? hostnameOf(display_name, id),
      host: null,
      node: null,
      availability_zone: asked.spec.availability_zone,
      image: asked.image,
      image_ref: asked.image?.id ?? null,
      flavor: asked.flavor,
      flavor_id: asked.flavor.id,
      ...amountsOf(asked.image, asked.flavor),
      vm_state: 'building',
      task_state: 'scheduling',
      power_state: 0,
      progress: 0,
      created_at: now,
      updated_at: now,
      launched_at: null,
      key_name: asked.key_name,
      config_drive: asked.config_drive,
      metadata: asked.metadata,
      access_ip_v4: asked.access_ip_v4,
      access_ip_v6: asked.access_ip_v6,
      locked_by: null,
      locked_reason: null,
      root_device_name: '/dev/vda',
      disk_config: asked.disk_config,
      trusted_image_certificates: asked.trusted_image_certificates,
      fault: null,
      recovery: null,
    }
  })
}

/** A name that DNS takes, made of the display name. */
export function hostnameOf(name: string, id: string): string {
  const cleaned = name
    .replace(/[ _]/g, '-')
    .replace(/[^a-zA-Z0-9.-]+/g, '')
    .toLowerCase()
    .replace(/^[.-]+/, '')
    .slice(0, 63)
    .replace(/[.-]+$/, '')
    .replaceAll('.', '-')
  return cleaned || `server-${id}`
}
