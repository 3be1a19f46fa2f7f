/** A server group in the versioned format. */
import type { GroupFacts } from '../resource-events.ts'
import { type Data, object } from './versioned.ts'

export const groupPayload = ({ id, name, project_id, user_id, policy, rules, members }: GroupFacts): Data =>
  object('ServerGroupPayload', '1.1', {
    uuid: id,
    name,
    project_id,
    user_id,
    policies: [policy],
    policy,
    rules: Object.fromEntries(Object.entries(rules).map(([key, value]) => [key, String(value)])),
    members,
    hosts: null,
  })
