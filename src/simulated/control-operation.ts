/** An operation on the controls: open to whoever reaches the port, but for web pages. */
import { Forbidden } from '#kernel/errors.ts'
import { type Operation, type OperationSpec, operation, type Request } from '#kernel/operation.ts'
import type { Static, TSchema } from '#kernel/schema/builders.ts'
import type { Controls } from './controls.ts'

type Spec<Path extends string, Q extends TSchema, B extends TSchema, R extends TSchema> = Omit<
  OperationSpec<Path, Q, B, R, undefined>,
  'policy' | 'handle' | 'load'
> & {
  handle(
    controls: Controls,
    request: Request<Path, Static<Q>, Static<B>, undefined>,
  ): ReturnType<OperationSpec<Path, Q, B, R, undefined>['handle']>
}

/**
 * No token is asked for: tests steer a cloud whose identity service they may have broken, and nothing in it is worth a secret. A page in a
 * browser on the same machine could reach it too, which browsers tell by `Origin`; no client of ours sends that.
 */
export function controlOperation<
  const Path extends string,
  Q extends TSchema = TSchema,
  B extends TSchema = TSchema,
  R extends TSchema = TSchema,
>(spec: Spec<Path, Q, B, R>): Operation {
  return operation<Path, Q, B, R>({
    ...spec,
    policy: 'public',
    handle(ctx, request) {
      if (request.headers.origin !== undefined)
        throw new Forbidden('Web pages may not steer a simulated cloud: send the request without the header Origin.')
      return spec.handle(ctx.services.simulated, request)
    },
  } as OperationSpec<Path, Q, B, R, undefined>)
}
