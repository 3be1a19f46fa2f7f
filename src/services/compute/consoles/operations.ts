/** What stands behind a console's token, for proxies that are not ours. */
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { body, query } from '../dialect.ts'
import { consoleOf, endpointOf } from './console.ts'

const nullableText = Type.Union([Type.String(), Type.Null()])

export const consoleOperations: Operation[] = [
  operation({
    id: 'compute.console_tokens.show',
    method: 'GET',
    path: '/v2.1/os-console-auth-tokens/{console_token}',
    summary: 'Show what a console token opens',
    policy: rule('os_compute_api:os-console-auth-tokens', admin),
    query: query({}, '2.99'),
    response: body(
      'console',
      Type.Object({
        instance_uuid: Type.String(),
        host: nullableText,
        port: Type.Union([Type.Integer(), Type.Null()]),
        internal_access_path: nullableText,
      }),
    ),
    async handle(ctx, { params }) {
      // Before, it told of RDP consoles only, which are no more.
      if (!ctx.atLeast('2.31')) throw new BadRequest('The requested console type details are not accessible')
      const found = await consoleOf(ctx, params.console_token)
      if (!found) throw new NotFound('Token not found')
      const { row, server } = found
      const endpoint = await endpointOf(ctx, server, row.console_type)
      return {
        console: {
          instance_uuid: server.id,
          host: endpoint.type === 'tcp' ? endpoint.host : row.host,
          port: endpoint.type === 'tcp' ? endpoint.port : null,
          internal_access_path: endpoint.type === 'unix' ? endpoint.path : null,
        },
      }
    },
  }),
]
