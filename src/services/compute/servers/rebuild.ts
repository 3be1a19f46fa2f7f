/** Rebuild a server: a new root disk from an image, with the same id, ports and host. The old disks are kept until the new guest is there. */
import { isDeepStrictEqual } from 'node:util'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { randomPassword } from '#kernel/ids.ts'
import { reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga } from '#kernel/saga/saga.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { since, until } from '#kernel/schema/marks.ts'
import { description, flag, metadata, name } from '../dialect.ts'
import { showsAttributes } from '../extensions/extensions.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { checkKeys } from '../metadata-keys.ts'
import { actionOperation, actionSaga, beginAction, requireAllowed, requireHost, type ServerAction } from './action.ts'
import { bringBack } from './bring-back.ts'
import { keypairOf } from './build-request.ts'
import { accessIp, diskConfig, hostname, keptIp, personality, trustedCertificates } from './create-schema.ts'
import { requireAsBuilt } from './encryption.ts'
import { diskConfigOf } from './guest-works/disk-config.ts'
import { guestIsNew } from './guest-works/run.ts'
import { imageOfServer } from './image-of-server.ts'
import { machineWishes } from './machine.ts'
import { beginTidy } from './moves/tidy.ts'
import { checkContents } from './quota.ts'
import type { GuestDataRow, ServerImage, ServerRow } from './server.ts'
import { changedSchema } from './server-schema.ts'
import { beginAnew } from './software/run.ts'
import { buildMs, callOptions, currentSpec, stopping } from './steps.ts'
import { findServer, guestDataOf, updateServer } from './store.ts'
import { forgetAdminPassword, updateGuestData } from './store-guest-data.ts'
import { changedView, serverLinks } from './view.ts'

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

const request = Type.Object(
  {
    imageRef: Type.Unsafe<string>({ type: 'string', format: 'uuid' }),
    name: Type.Optional(name),
    adminPass: Type.Optional(Type.String()),
    metadata: Type.Optional(metadata(Type.String({ maxLength: 255 }))),
    preserve_ephemeral: Type.Optional(flag),
    'OS-DCF:diskConfig': Type.Optional(diskConfig),
    accessIPv4: Type.Optional(accessIp('ipv4')),
    accessIPv6: Type.Optional(accessIp('ipv6')),
    personality: until('2.56', personality),
    description: since('2.19', description(255)),
    key_name: since('2.54', nullable(name)),
    user_data: since('2.57', nullable(Type.String({ format: 'base64', maxLength: 65_535 }))),
    trusted_image_certificates: since('2.63', trustedCertificates),
    hostname: since('2.90', hostname),
  },
  { additionalProperties: false },
)
type Asked = Static<typeof request>

const response = Type.Object(
  {
    ...changedSchema.properties,
    adminPass: Type.String(),
    user_data: since('2.57', nullable(Type.String())),
  },
  { additionalProperties: false, ...showsAttributes },
)

const certificates = rule('os_compute_api:servers:rebuild:trusted_certs', projectMemberOrAdmin)
export const rebuildRules = [certificates]

/** What the server and its guest were told before, to be put back if it fails. */
interface Before {
  row: Partial<ServerRow>
  data: Partial<GuestDataRow>
}

const onBefore = (row: Partial<ServerRow>) => row.vm_state === 'active'

export const rebuildSaga = actionSaga<Before>({
  name: 'rebuild',
  event: 'rebuild',
  longCallsMs: buildMs,
  async run(s, { server_id: id, host, body: { row } }) {
    const { ctx } = s
    const agent = hostAgent(ctx, host)
    await s.step('make room', signal => agent.call('dropAside', { id }, callOptions(ctx, signal)))
    await s.step(
      'set aside',
      signal => {
        const { grace_seconds, waitMs } = stopping(ctx)
        return agent.call('setAside', { id, grace_seconds }, callOptions(ctx, signal, waitMs))
      },
      () => bringBack(ctx, { id, host, runs: onBefore(row), row }),
    )
    const power_on = row.vm_state !== 'stopped'
    await s.step('spawn', async signal => {
      const spec = await currentSpec(ctx, id, host, signal)
      await agent.call('spawn', { spec, power_on }, callOptions(ctx, signal, buildMs))
    })
    const launched_at = await s.record('look at the clock', async tx => new Date(tx.clock.now()).toISOString())
    const power = power_on
      ? ({ vm_state: 'active', power_state: powerStates.running } as const)
      : ({ vm_state: 'stopped', power_state: powerStates.shutdown } as const)
    return { ...power, launched_at, fault: null }
  },
  async settled(ctx, { server_id, host }) {
    await forgetAdminPassword(ctx, server_id)
    await beginAnew(ctx, server_id)
    await guestIsNew(ctx, server_id)
    await beginTidy(ctx, { server_id, host })
  },
  async undone(ctx, { server_id, body: { row, data } }) {
    await updateServer(ctx, server_id, row)
    await updateGuestData(ctx, server_id, { ...data, admin_password: null })
  },
})

function pick<T extends object>(from: T, like: Partial<T>): Partial<T> {
  return Object.fromEntries(Object.keys(like).map(key => [key, from[key as keyof T]])) as Partial<T>
}

/** It stays on its host, on the CPUs and in the cells that it has. */
function checkMachine(ctx: Ctx, { flavor, image }: ServerRow, next: ServerImage): void {
  const { topology } = machineWishes(ctx, flavor, next)
  if (image?.id === next.id || isDeepStrictEqual(topology, machineWishes(ctx, flavor, image).topology)) return
  throw new BadRequest(
    "An instance's NUMA topology cannot be changed as part of a rebuild. The image provided is invalid for this instance.",
  )
}

async function rowPatch(ctx: Ctx, server: ServerRow, asked: Asked): Promise<Partial<ServerRow>> {
  const image = await imageOfServer(ctx, asked.imageRef, server.flavor, 'Cannot find image for rebuild')
  checkMachine(ctx, server, image)
  await requireAsBuilt(ctx, server, server.flavor, image)
  const has = (key: keyof Asked) => asked[key] !== undefined
  return {
    image,
    image_ref: image.id,
    progress: 0,
    ...(has('name') && { display_name: asked.name! }),
    ...(has('description') && { display_description: asked.description! }),
    ...(has('metadata') && { metadata: asked.metadata! }),
    ...(has('OS-DCF:diskConfig') && { disk_config: diskConfigOf(image, asked['OS-DCF:diskConfig']) }),
    ...(has('accessIPv4') && { access_ip_v4: keptIp(asked.accessIPv4) }),
    ...(has('accessIPv6') && { access_ip_v6: keptIp(asked.accessIPv6) }),
    ...(has('key_name') && { key_name: asked.key_name! }),
    ...(has('trusted_image_certificates') && { trusted_image_certificates: asked.trusted_image_certificates! }),
    ...(has('hostname') && { hostname: asked.hostname! }),
  }
}

async function dataPatch(ctx: Ctx, asked: Asked): Promise<Partial<GuestDataRow>> {
  const key = asked.key_name ? await keypairOf(ctx, asked.key_name) : undefined
  return {
    ...(asked.key_name !== undefined && { public_key: key?.public_key ?? null, key_type: key?.type ?? null }),
    ...(asked.user_data !== undefined && { user_data: asked.user_data }),
    personality: asked.personality ?? null,
  }
}

export const rebuild: ServerAction = {
  saga: anySaga(rebuildSaga),
  operation: actionOperation({
    id: 'compute.servers.rebuild',
    key: 'rebuild',
    summary: 'Build a server anew from an image',
    policy: rule('os_compute_api:servers:rebuild', projectMemberOrAdmin),
    body: request,
    response: Type.Object({ server: response }),
    async handle(ctx, server, asked) {
      const target = { project_id: server.project_id, user_id: server.user_id }
      if (asked.trusted_image_certificates !== undefined) ctx.enforce(certificates, target)
      requireAllowed(ctx, server, 'rebuild')
      requireHost(server)
      if (!server.image) throw new BadRequest('Unable to rebuild with a different image for a volume-backed server.')
      checkKeys(ctx, asked.metadata ?? {}, server.metadata)
      await checkContents(ctx, server.project_id, asked.metadata ?? {}, asked.personality ?? [])
      const admin_password = asked.adminPass ?? randomPassword(ctx.ids, 12)
      const row = await rowPatch(ctx, server, asked)
      const data = await dataPatch(ctx, asked)
      await ctx.transaction(async tx => {
        const had = await guestDataOf(tx, server.id)
        const before: Before = {
          row: {
            ...pick(server, row),
            vm_state: server.vm_state,
            power_state: server.power_state,
            fault: server.fault,
          },
          data: had ? pick(had, data) : {},
        }
        await beginAction(
          tx,
          { ...server, ...row },
          { name: 'rebuild', event: 'rebuild', saga: rebuildSaga, body: before },
        )
        await updateServer(tx, server.id, row)
        await updateGuestData(tx, server.id, { ...data, admin_password })
      })
      const now = (await findServer(ctx, server.id)) ?? server
      const view = await changedView(ctx, now)
      const user_data = (await guestDataOf(ctx, server.id))?.user_data ?? null
      const key = ctx.atLeast('2.54') ? { key_name: now.key_name } : {}
      return reply(
        { server: { ...view, ...key, adminPass: admin_password, user_data } as Static<typeof response> },
        { status: 202, headers: { location: serverLinks(ctx, server.id)[0]!.href } },
      )
    },
  }),
}
