/** Tells administrators why providers are no candidates for a request: which constraint each fails, part by part. */
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { placementRule } from '../dialect.ts'
import { snapshotFor } from '../snapshot.ts'
import { explain } from './explain.ts'
import { checkNames } from './operations.ts'
import { candidateQuery, type Query, searchRequestOf } from './request.ts'
import { search } from './search.ts'

const refusal = Type.Object({
  provider: Type.String(),
  name: Type.String(),
  /** Of which part of the request; the part without a suffix is empty. */
  group: Type.String(),
  constraint: Type.String(),
  asked: Type.String(),
  had: Type.String(),
})

export const explainCandidates = operation({
  id: 'placement.allocation_candidates.explain',
  method: 'GET',
  path: '/allocation_candidates/nephos-explain',
  summary: 'Say which constraint of a request each provider fails',
  versions: { min: '1.10' },
  policy: placementRule('allocation_candidates:explain', 'role:admin'),
  query: candidateQuery,
  response: Type.Object({ candidates: Type.Integer(), refusals: Type.Array(refusal) }),
  async handle(ctx, { query }) {
    const request = searchRequestOf(ctx, query as Query)
    await checkNames(ctx, request)
    const snapshot = await snapshotFor(ctx)
    const refusals = request.groups.flatMap(group =>
      explain(snapshot, group).map(one => ({ ...one, group: group.suffix })),
    )
    return { candidates: search(snapshot, request).length, refusals }
  },
})
