/** Tells operators that their users still send what has a successor. */
import { type Ctx, perCloud } from '../context.ts'
import type { Operation } from '../operation.ts'
import { sparing } from '../sparing.ts'

const telling = perCloud(({ clock }) => sparing(clock))

/** A line of the log for such an input, once a minute for each user of it; never its value. */
export function tellOutdated(ctx: Ctx, { id, outdated = {} }: Operation, body: unknown): void {
  for (const [input, instead] of Object.entries(outdated)) {
    if (input !== '*' && valueAt(body, input.split('.')) === undefined) continue
    const { user_id } = ctx.identity
    const more = telling(ctx)(`${id} ${input} ${user_id}`)
    if (!more) continue
    // Who asked is in every line of a request.
    const about = { operation: id, instead, ...more }
    ctx.log.warn(input === '*' ? about : { ...about, input }, `deprecated: use ${instead}`)
  }
}

function valueAt(body: unknown, path: readonly string[]): unknown {
  let value = body
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}
