/**
 * What volume offers the other services. A cloud may have no volume service: `ctx.services.volume` is undefined then. Functions work in the
 * caller's transaction, except those that wait for a backend and take a signal. What throws says it in words for users: NotFound for what the
 * caller may not see, BadRequest for what a volume cannot do now, OverQuota.
 */
import type { Ctx } from '#kernel/context.ts'

/** As the block storage API names them: `available`, `reserved`, `attaching`, `in-use`, `detaching`, `creating`, `error` … */
export type VolumeStatus = string

export interface VolumeInfo {
  id: string
  project_id: string
  name: string | null
  description: string | null
  status: VolumeStatus
  /** GiB */
  size: number
  bootable: boolean
  /** Several servers may have it at once. */
  multiattach: boolean
  volume_type: string | null
  availability_zone: string | null
  snapshot_id: string | null
  metadata: Record<string, string>
  /** Of the image that it was made from, `min_ram` and the like among them; empty for others. */
  image_metadata: Record<string, string>
  attachments: { id: string; server_id: string; device: string | null }[]
  /** Set while the volume service moves it to another backend. */
  migration_status: string | null
  created_at: string
}

export interface VolumeSnapshotInfo {
  id: string
  volume_id: string
  name: string | null
  description: string | null
  status: string
  /** GiB, of the volume. */
  size: number
  created_at: string
}

export type VolumeSource = { type: 'blank' } | { type: 'image'; id: string } | { type: 'snapshot'; id: string }

export interface NewVolume {
  name: string | null
  description: string | null
  /** GiB */
  size: number
  source: VolumeSource
  volume_type: string | null
  availability_zone: string | null
  metadata: Record<string, string>
}

/** How a host reaches a volume; what it holds is between the volume service's backend and the virt driver, by `driver_volume_type`. */
export interface VolumeConnection {
  driver_volume_type: string
  data: Record<string, unknown>
}

export interface VolumeContract {
  get(ctx: Ctx, id: string): Promise<VolumeInfo>
  /** Those of the caller's project. */
  list(ctx: Ctx): Promise<VolumeInfo[]>
  /** Its work may go on after the answer: see `ready`. */
  create(ctx: Ctx, volume: NewVolume): Promise<VolumeInfo>
  remove(ctx: Ctx, id: string): Promise<void>
  /** The name of a volume type that is named by its id or its name; undefined when there is none. */
  typeNamed(ctx: Ctx, name: string): Promise<string | undefined>

  getSnapshot(ctx: Ctx, id: string): Promise<VolumeSnapshotInfo>
  listSnapshots(ctx: Ctx): Promise<VolumeSnapshotInfo[]>
  /** `force`: also of a volume that a server has. */
  createSnapshot(
    ctx: Ctx,
    snapshot: { volume_id: string; name: string | null; description: string | null; force: boolean },
  ): Promise<VolumeSnapshotInfo>
  removeSnapshot(ctx: Ctx, id: string): Promise<void>

  /** Makes an attachment, so that nobody else gets the volume; returns its id. A volume that is still being made may be reserved. */
  reserve(ctx: Ctx, wish: { volume_id: string; server_id: string }): Promise<string>
  /** The server has the volume now: it is `in-use`. Once more changes nothing. */
  complete(ctx: Ctx, attachment_id: string, device: string | null): Promise<void>
  /** `in-use` becomes `detaching`; any other status is refused. */
  beginDetach(ctx: Ctx, attachment_id: string): Promise<void>
  /** The volume stays with its server after all. */
  keepAttached(ctx: Ctx, attachment_id: string): Promise<void>
  /** Ends the attachment, whatever it has come to, on every host. Unknown ids succeed. */
  detach(ctx: Ctx, attachment_id: string): Promise<void>
  /** Ends every attachment of a server that goes, those that were only reserved among them. */
  release(ctx: Ctx, server_id: string): Promise<void>

  /** Waits until a new volume is there; throws when it cannot be made. */
  ready(ctx: Ctx, volume_id: string, signal: AbortSignal): Promise<void>
  /** Lets a host reach the volume, and says how. While a server moves, two hosts may. Once more says the same. */
  connect(ctx: Ctx, attachment_id: string, host: string, signal: AbortSignal): Promise<VolumeConnection>
  /** Nothing of the server is on the host any more: none of its volumes is reached from there. Once more changes nothing. */
  disconnect(ctx: Ctx, server_id: string, host: string): Promise<void>
}

declare module '#kernel/context.ts' {
  interface Contracts {
    /** Absent in a cloud without volumes. */
    volume?: VolumeContract
  }
}
