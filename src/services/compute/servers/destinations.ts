/** Where servers would go: hosts are chosen as for a request to create them, and nothing is made. Not upstream's. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { asExtended } from '../extensions/steps.ts'
import { buildRequest } from './build-request.ts'
import { type CreateBody, createRequest } from './create-schema.ts'
import { noValidHost } from './explanation.ts'
import { type Placing, place } from './placing.ts'
import { tryOut } from './trial.ts'

const destination = Type.Object({ host: Type.String(), node: Type.String(), availability_zone: Type.String() })
const refusal = Type.Object({ host: Type.String(), rule: Type.String(), asked: Type.String(), had: Type.String() })

export const chooseDestinations = operation({
  id: 'compute.servers.destinations',
  method: 'POST',
  path: '/v2.1/os-destinations',
  summary: 'Choose hosts for servers without creating them',
  policy: rule('nephos:servers:destinations', admin),
  request: createRequest,
  response: Type.Object({
    /** One for each server, or none at all. */
    destinations: Type.Array(destination),
    /** Why there are none. */
    reason: Type.Optional(Type.String()),
    refused: Type.Optional(Type.Array(refusal)),
  }),
  async handle(ctx, request) {
    const project = ctx.identity.project_id
    if (project === undefined) throw new BadRequest('A server belongs to a project: use a token that is scoped to one.')
    const placing = await dryRun(ctx, await asExtended(ctx, request.body as CreateBody), project)
    if ('hosts' in placing)
      return { destinations: placing.hosts.map(({ host, node, zone }) => ({ host, node, availability_zone: zone })) }
    const { explanation } = placing
    return { destinations: [], reason: noValidHost(ctx, explanation).message, refused: explanation.hosts }
  },
})

function dryRun(ctx: Ctx, body: CreateBody, project: string): Promise<Placing> {
  return tryOut(ctx, async tx => {
    const { flavor, image, spec, max_count } = await buildRequest(tx, body, project)
    const request = { flavor, image, spec, ignore: [], project_id: project, user_id: ctx.identity.user_id }
    const ids = Array.from({ length: max_count }, () => ctx.ids.uuid())
    return place(tx, request, ids)
  })
}
