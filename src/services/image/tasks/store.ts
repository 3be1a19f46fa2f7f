/** Rows of tasks: what goes on with images in the background. */
import { rows } from '#kernel/db/rows.ts'

export interface TaskRow {
  id: string
  /** import, api_image_import, location_import */
  type: string
  /** pending, processing, success, failure */
  status: string
  owner: string | null
  image_id: string | null
  input: Record<string, unknown>
  result: Record<string, unknown> | null
  message: string
  request_id: string
  user_id: string | null
  /** Set when it has ended; it is removed then. */
  expires_at: string | null
  created_at: string
  updated_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_tasks: TaskRow
  }
}

export const tasks = rows<TaskRow>('image_tasks', { json: ['input', 'result'] })
