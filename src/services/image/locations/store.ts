/** Rows of locations: which stores hold the bytes of an image. */
import { rows } from '#kernel/db/rows.ts'

export interface LocationRow {
  id: string
  image_id: string
  store: string
  /** Of bytes on a web server. In a file store they are in the file that the image names. */
  url: string | null
  metadata: Record<string, unknown>
  position: number
  created_at: string
}

/** A file of a deleted image that is kept until then. */
export interface ScrubRow {
  blob: string
  store: string
  due_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_locations: LocationRow
    image_scrubs: ScrubRow
  }
}

export const locations = rows<LocationRow>('image_locations', { json: ['metadata'] })
export const scrubs = rows<ScrubRow>('image_scrubs')
