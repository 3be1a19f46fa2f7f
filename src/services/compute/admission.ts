/** What is looked at before anything is done for a caller: the form of answers, what this cloud does without, rate limits. */
import type { Ctx } from '#kernel/context.ts'
import { NotAcceptable, NotFound } from '#kernel/errors.ts'
import { acceptsJson } from '#kernel/http/accept.ts'
import type { Admission } from '#kernel/service.ts'
import { computeConfig } from './config.ts'
import { isPartOf } from './optional-parts.ts'
import { keepToRateLimits } from './rate-limits/admission.ts'

/** Throws what is answered in place of the operation. */
export async function admitRequest(ctx: Ctx, request: Admission): Promise<void> {
  if (!acceptsJson(request.accept))
    throw new NotAcceptable('Answers are application/json only: send Accept: application/json.')
  if (ctx.config.of(computeConfig).disabled_parts.some(alias => isPartOf(alias, request.operation)))
    throw new NotFound()
  await keepToRateLimits(ctx, request)
}
