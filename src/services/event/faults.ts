/** The error envelope of the event API: status, title and message. */
import type { FaultShape } from '#kernel/service.ts'

export const eventFaults: FaultShape = ({ status, title, message }) => ({
  body: { error: { code: status, title, message } },
})
