/** Opening consoles: one request for all kinds since 2.6, an action for each before. */
import { type Operation, operation } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { byVersion } from '#kernel/schema/marks.ts'
import { openConsole } from '../consoles/console.ts'
import { body } from '../dialect.ts'
import { loadServer } from './access.ts'
import { actionOperation } from './action.ts'

const policy = rule('os_compute_api:os-remote-consoles', projectMemberOrAdmin)

const oneOf = (...values: string[]) => Type.Unsafe<string>({ type: 'string', enum: values })
const closed = { additionalProperties: false }

const protocols = ['vnc', 'spice', 'rdp', 'serial']
const types = ['novnc', 'xvpvnc', 'spice-html5', 'rdp-html5', 'serial']

const create = operation({
  id: 'compute.remote_consoles.create',
  method: 'POST',
  path: '/v2.1/servers/{server_id}/remote-consoles',
  summary: 'Open a console of a server',
  versions: { min: '2.6' },
  policy,
  load: loadServer,
  request: body(
    'remote_console',
    Type.Object(
      {
        protocol: byVersion(
          { '2.6': oneOf(...protocols), '2.8': oneOf(...protocols, 'mks') },
          oneOf(...protocols, 'mks'),
        ),
        type: byVersion(
          {
            '2.6': oneOf(...types),
            '2.8': oneOf(...types, 'webmks'),
            '2.99': oneOf(...types, 'webmks', 'spice-direct'),
          },
          oneOf(...types, 'webmks', 'spice-direct'),
        ),
      },
      closed,
    ),
  ),
  response: body('remote_console', Type.Object({ protocol: Type.String(), type: Type.String(), url: Type.String() })),
  async handle(ctx, { target, body: { remote_console } }) {
    const { protocol, type } = remote_console
    return { remote_console: { protocol, type, url: await openConsole(ctx, target, protocol, type) } }
  },
})

/** Kinds that had an action of their own, by the word in its name. */
const legacy: [string, string, string[]][] = [
  ['VNC', 'vnc', ['novnc', 'xvpvnc']],
  ['SPICE', 'spice', ['spice-html5']],
  ['Serial', 'serial', ['serial']],
]

const actions = legacy.map(([word, protocol, known]) =>
  actionOperation({
    id: `compute.servers.get_${protocol}_console`,
    key: `os-get${word}Console`,
    summary: `Open a ${protocol} console of a server`,
    versions: { max: '2.5' },
    policy,
    body: Type.Object({ type: oneOf(...known) }, closed),
    response: body('console', Type.Object({ type: Type.String(), url: Type.String() })),
    handle: async (ctx, server, { type }) => ({
      console: { type, url: await openConsole(ctx, server, protocol, type) },
    }),
  }),
)

export const remoteConsoleOperations: Operation[] = [create, ...actions]
