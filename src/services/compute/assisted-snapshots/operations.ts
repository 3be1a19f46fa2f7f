/** Snapshots of volumes that only the guest's host can make; asked for by the volume service, while a server has the volume. */
import { BadRequest } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { adminOrService, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body, query } from '../dialect.ts'

const closed = { additionalProperties: false }
const text = Type.String({ minLength: 1 })
const path = '/v2.1/os-assisted-volume-snapshots'
const policy = (verb: string) => rule(`os_compute_api:os-assisted-volume-snapshots:${verb}`, adminOrService)

/** Servers have no volumes until there is a service of volumes. */
const notAttached = (volume: string) => new BadRequest(`No volume Block Device Mapping with id ${volume}.`)

/** The volume that `delete_info`, text of JSON, is about. */
function volumeOf(info: string | undefined): string {
  if (info === undefined) throw new BadRequest("'delete_info'")
  let volume: unknown
  try {
    volume = (JSON.parse(info) as { volume_id?: unknown } | null)?.volume_id
  } catch (cause) {
    throw new BadRequest('delete_info must be JSON.', { cause })
  }
  if (typeof volume !== 'string') throw new BadRequest("'volume_id'")
  return volume
}

export const assistedSnapshotOperations: Operation[] = [
  operation({
    id: 'compute.assisted_volume_snapshots.create',
    method: 'POST',
    path,
    summary: 'Make a snapshot of a volume that a server has',
    policy: policy('create'),
    request: body(
      'snapshot',
      Type.Object(
        {
          volume_id: text,
          create_info: Type.Object(
            {
              snapshot_id: text,
              type: Type.Literal('qcow2'),
              new_file: text,
              id: Type.Optional(text),
            },
            closed,
          ),
        },
        closed,
      ),
    ),
    async handle(_ctx, { body: { snapshot } }) {
      throw notAttached(snapshot.volume_id)
    },
  }),
  operation({
    id: 'compute.assisted_volume_snapshots.delete',
    method: 'DELETE',
    path: `${path}/{snapshot_id}`,
    summary: 'Delete such a snapshot',
    policy: policy('delete'),
    query: query({ delete_info: Type.Optional(Type.String()) }),
    async handle(_ctx, { query: asked }) {
      throw notAttached(volumeOf(asked.delete_info))
    },
  }),
]
