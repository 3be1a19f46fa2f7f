/** Which rows of users and groups are copies of what is in a directory. */
import { rows } from '#kernel/db/rows.ts'

export interface DirectoryEntryRow {
  /** The id of the user or group: made of the rest, so that it is the same whenever it is seen. */
  id: string
  domain_id: string
  kind: 'user' | 'group'
  local_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_directory_entries: DirectoryEntryRow
  }
}

export const directoryEntries = rows<DirectoryEntryRow>('identity_directory_entries')
