/** Images of the disks of deleted servers, and when they go. */
import { rows } from '#kernel/db/rows.ts'

interface DeletedDiskRow {
  image_id: string
  server_id: string
  expires_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_deleted_disks: DeletedDiskRow
  }
}

export const deletedDisks = rows<DeletedDiskRow>('compute_deleted_disks')
