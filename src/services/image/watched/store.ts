/** Rows of the files in watched folders. */
import { rows } from '#kernel/db/rows.ts'

export interface WatchedRow {
  store: string
  file: string
  size: number
  /** When the file system says that it was last changed; nobody can set that. */
  changed: string
  /** `seen`: to be registered when it has not changed by the next look. `refused`: it is nothing to boot from. `gone`: its image is marked. */
  state: 'seen' | 'registered' | 'refused' | 'gone'
  image_id: string | null
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_watched: WatchedRow
  }
}

export const watched = rows<WatchedRow>('image_watched')
