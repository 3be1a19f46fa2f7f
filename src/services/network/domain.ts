/** Names in DNS, as clients write them. */
import { Type } from '#kernel/schema/builders.ts'

/** A domain with the dot at its end, or nothing. */
export const domainSchema = Type.String({
  maxLength: 255,
  pattern: '^$|^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.)+$',
})
