/** Keystone's error envelope. */
import type { FaultShape } from '#kernel/service.ts'

export const identityFaults: FaultShape = fault => ({
  body: { error: { code: fault.status, title: fault.title, message: fault.message, ...fault.extra } },
})
