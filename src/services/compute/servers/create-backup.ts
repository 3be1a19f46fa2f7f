/** Backups: images of a server's disk, of which the newest few of a kind are kept. */
import { BadRequest } from '#kernel/errors.ts'
import { reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { anySaga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { integerOf, metadata, name, wholeNumber } from '../dialect.ts'
import { actionOperation, actionSaga, beginAction, requireAllowed, requireHost, type ServerAction } from './action.ts'
import { snapshotImage, storeDisk, uploadTimeoutMs } from './create-image.ts'
import { incremental, rotate, storeChanges } from './increments.ts'
import { checkContents } from './quota.ts'

interface Backup {
  image_id: string
  format: 'raw' | 'qcow2'
  kind: string
  /** How many of the kind are kept. */
  rotation: number
}

const backupSaga = actionSaga<Backup>({
  name: 'createBackup',
  event: 'snapshot',
  // Changes that turn out to be to nothing are followed by the whole disk.
  longCallsMs: 2 * uploadTimeoutMs,
  told: ({ image_id }) => ({ snapshot_image_id: image_id }),
  async run(s, { server_id: id, host, body: { image_id, format, kind, rotation } }) {
    const { ctx } = s
    const copy = { id, image_id, format }
    await s.step(
      'store disk',
      signal =>
        kind === incremental ? storeChanges(s, host, { copy, rotation }, signal) : storeDisk(ctx, host, copy, signal),
      () => ctx.services.image.remove(ctx, image_id),
    )
    await s.step('remove old backups', () => rotate(ctx, id, kind, rotation))
    return {}
  },
})

export const createBackup: ServerAction = {
  saga: anySaga(backupSaga),
  operation: actionOperation({
    id: 'compute.servers.create_backup',
    key: 'createBackup',
    summary: 'Create a backup of a server, and remove old ones',
    policy: rule('os_compute_api:os-create-backup', projectMemberOrAdmin),
    body: Type.Object(
      {
        name,
        backup_type: Type.String({ maxLength: 255 }),
        rotation: wholeNumber(0),
        metadata: Type.Optional(metadata(Type.String({ maxLength: 255 }))),
      },
      { additionalProperties: false },
    ),
    response: Type.Object({ image_id: since('2.45', Type.String()) }),
    async handle(ctx, server, asked) {
      const rotation = integerOf(asked.rotation, 'rotation', 0)
      requireAllowed(ctx, server, 'createBackup')
      if (!server.image) throw new BadRequest('Backup is not supported for volume-backed instances.')
      requireHost(server)
      if (!ctx.atLeast('2.39')) await checkContents(ctx, server.project_id, asked.metadata ?? {}, [])
      const kind = asked.backup_type
      const image_id = await ctx.transaction(async tx => {
        const properties = { ...asked.metadata, backup_type: kind }
        const format = kind === incremental ? 'qcow2' : (server.image?.disk_format ?? 'qcow2')
        const made = { name: asked.name, image_type: 'backup', disk_format: format, properties } as const
        const image = await snapshotImage(tx, server, made)
        const body = { image_id: image.id, format, kind, rotation }
        const told = { snapshot_image_id: image.id }
        await beginAction(tx, server, { name: 'createBackup', event: 'snapshot', saga: backupSaga, body, told })
        return image.id
      })
      if (ctx.atLeast('2.45')) return reply({ image_id }, { status: 202 })
      const location = { location: `${ctx.base}/image/v2/images/${image_id}` }
      return reply(undefined, { status: 202, ...(rotation > 0 && { headers: location }) })
    },
  }),
}
