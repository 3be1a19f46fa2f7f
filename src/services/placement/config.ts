/** The section of the configuration about placement. */
import { section } from '#kernel/config/section.ts'
import type { Ctx } from '#kernel/context.ts'
import { Type } from '#kernel/schema/builders.ts'
import type { SearchRequest } from './candidates/search.ts'

export const placementConfig = section(
  'placement',
  Type.Object(
    {
      randomize_allocation_candidates: Type.Boolean({
        default: false,
        description:
          'Whether, of more candidates than are asked for, any are given; otherwise always the first, so that large clouds fill up in order.',
      }),
      allocation_candidates_generation_strategy: Type.Union(
        [Type.Literal('depth-first'), Type.Literal('breadth-first')],
        {
          default: 'depth-first',
          description:
            'depth-first: all that a tree of providers offers before the next tree is looked at; breadth-first: one of each tree in turn.',
        },
      ),
      max_allocation_candidates: Type.Integer({
        default: -1,
        minimum: -1,
        description: 'Most candidates that are found for one request; -1 is no limit beside what the request says.',
      }),
    },
    { description: 'What there is to give, and where requests fit.' },
  ),
)

/** Which candidates are taken when there are more than `limit`. */
export function choiceOf(
  ctx: Ctx,
  limit: number | undefined,
): Pick<SearchRequest, 'limit' | 'random' | 'breadth_first'> {
  const config = ctx.config.of(placementConfig)
  const most = config.max_allocation_candidates < 0 ? Number.POSITIVE_INFINITY : config.max_allocation_candidates
  return {
    limit: Math.min(limit ?? Number.POSITIVE_INFINITY, most),
    random: config.randomize_allocation_candidates ? ctx.ids.random : undefined,
    breadth_first: config.allocation_candidates_generation_strategy === 'breadth-first',
  }
}
