/** Who may read events and have them sent: they tell of all projects. */
import { admin, rule } from '#kernel/policy/rule.ts'

export const readEvents = rule('event:events:list', admin)
export const readRequests = rule('event:requests:show', admin)
export const listWebhooks = rule('event:webhooks:list', admin)
export const changeWebhooks = rule('event:webhooks:change', admin)
