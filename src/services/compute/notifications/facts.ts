/** What both formats say of a server in the same words. */
import type { ServerFacts } from '../events.ts'

export const stateOf = ({ terminated_at, vm_state }: ServerFacts) =>
  terminated_at === undefined ? vm_state : 'deleted'

export const architectureOf = ({ image }: ServerFacts): string | null =>
  image?.properties.hw_architecture ?? image?.properties.architecture ?? null

export const osTypeOf = ({ image }: ServerFacts): string | null => image?.properties.os_type ?? null
