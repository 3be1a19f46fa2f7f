/** What is not there is refused like what one may not see: who has no right to look must not learn which ids exist. */
import { NotFound } from '#kernel/errors.ts'
import type { Operation } from '#kernel/operation.ts'

/** The operation, whose `load` tells only those who may ask that something is missing. */
export function hidingAbsence(operation: Operation): Operation {
  const { load, policy } = operation
  if (!load || typeof policy !== 'object') return operation
  return {
    ...operation,
    async load(ctx, request) {
      try {
        return await load(ctx, request)
      } catch (error) {
        const { user_id } = request.params as { user_id?: string }
        if (error instanceof NotFound) ctx.enforce(policy, { user_id, 'target.user.id': user_id })
        throw error
      }
    },
  }
}
