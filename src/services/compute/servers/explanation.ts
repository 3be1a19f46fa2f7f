/** Why a server could not be placed: for its user in a sentence, for admins host by host. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import type { CandidateRequest } from '../../placement/contract.ts'
import { hosts } from '../hosts/store.ts'
import type { Refused } from '../scheduler/scheduler.ts'
import { loadServer } from './access.ts'
import type { RequestSpec, ServerFault, ServerFlavor } from './server.ts'
import { faultOf } from './steps.ts'
import { explanationOf } from './store-asked.ts'

export interface Explanation {
  asked: {
    flavor: string
    resources: Record<string, number>
    required_traits: string[]
    forbidden_traits: string[]
    availability_zone: string | null
    host: string | null
    scheduler_hints: Record<string, string[]>
  }
  /** Of each host that was refused the rule that did it, with what it asked and what the host had. */
  hosts: { host: string; rule: string; asked: string; had: string }[]
}

/** Of how many hosts an explanation tells. */
export const mostTold = 1000

/** What was asked, and of each host which rule refused it: placement's, then the filters'. */
export async function explanationFor(
  ctx: Ctx,
  { spec, flavor }: { spec: RequestSpec; flavor: Pick<ServerFlavor, 'name'> },
  asked: CandidateRequest | undefined,
  refused: Refused[],
): Promise<Explanation> {
  const known = await hosts.pick(ctx.db, ['provider_uuid', 'name'])
  const names = new Map(known.map(host => [host.provider_uuid, host.name]))
  const refusals = asked ? await ctx.services.placement.explain(ctx, asked) : []
  return {
    asked: {
      flavor: flavor.name,
      resources: asked?.resources ?? {},
      required_traits: asked?.required_traits ?? [],
      forbidden_traits: asked?.forbidden_traits ?? [],
      availability_zone: spec.availability_zone,
      host: spec.requested_host,
      scheduler_hints: spec.scheduler_hints,
    },
    hosts: [
      ...refusals.flatMap(({ provider, constraint, asked: wanted, had }) => {
        const host = names.get(provider)
        return host === undefined ? [] : [{ host, rule: constraint, asked: wanted, had }]
      }),
      ...refused.map(({ host, filter, asked: wanted, had }) => ({ host, rule: filter, asked: wanted, had })),
    ].slice(0, mostTold),
  }
}

/** `2 hosts refused by MEMORY_MB, 1 by AvailabilityZoneFilter`, the most common first. */
function summary({ hosts }: Explanation): string {
  if (hosts.length === 0) return 'no host is there'
  const counts = [...Map.groupBy(hosts, host => host.rule)].sort(([, a], [, b]) => b.length - a.length)
  return counts.map(([name, { length }]) => `${length} refused by ${name}`).join(', ')
}

export function noValidHost(ctx: Ctx, explanation: Explanation): ServerFault {
  const details = explanation.hosts
    .slice(0, 100)
    .map(({ host, rule: name, asked, had }) => `${host}: ${name} asked for ${asked}, had ${had}`)
  return faultOf(
    ctx,
    `No valid host was found. There are not enough hosts available: ${summary(explanation)}.`,
    [`Asked for: ${JSON.stringify(explanation.asked)}`, ...details].join('\n'),
  )
}

/** A saga's claim found no host. */
export class NoValidHost extends Error {
  override readonly name = 'NoValidHost'
}

export const explainServer = operation({
  id: 'compute.servers.explain',
  method: 'GET',
  path: '/v2.1/servers/{server_id}/nephos-explain',
  summary: 'Show why a server could not be placed, host by host',
  policy: rule('nephos:servers:explain', admin),
  load: loadServer,
  response: Type.Object({
    explanation: Type.Object({
      at: Type.String(),
      asked: Type.Unknown(),
      hosts: Type.Array(
        Type.Object({ host: Type.String(), rule: Type.String(), asked: Type.String(), had: Type.String() }),
      ),
    }),
  }),
  async handle(ctx, { target }) {
    const found = await explanationOf(ctx, target.id)
    if (!found && target.vm_state === 'building' && target.host === null)
      throw new NotFound(`Instance ${target.id} is not placed yet: no host was looked for, or no scheduler is there.`)
    if (!found) throw new NotFound(`Instance ${target.id} was placed at the first try: there is nothing to explain.`)
    return { explanation: { at: found.at, ...found.report } }
  },
})
