/** The software in a server's guest: what is wanted of it and what is there. Not upstream's. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { body } from '../../dialect.ts'
import { loadServer } from '../access.ts'
import { requireAllowed } from '../action.ts'
import { beginRun } from './run.ts'
import {
  checkedRequest,
  hasAgent,
  noAgent,
  packageStates,
  showSoftware,
  softwareDrivers,
  softwareRequest,
  softwareRule,
} from './software.ts'
import { packagesOf, replaceSoftware, softwareOf } from './store.ts'

const path = '/v2.1/servers/{server_id}/os-software'
const nullable = Type.Union([Type.String(), Type.Null()])
const oneOf = (values: readonly string[]) => Type.Unsafe<string>({ type: 'string', enum: [...values] })

const shown = Type.Object({
  /** Null: nothing was ever asked for. */
  driver: Type.Union([oneOf(softwareDrivers), Type.Null()]),
  /** Of the manifest, which is not shown: it may hold secrets. */
  manifest_sha256: nullable,
  status: Type.Union([oneOf(['waiting', 'running', 'done', 'failed']), Type.Null()]),
  /** Why the run as a whole failed, or what it waits for. */
  message: nullable,
  packages: Type.Array(
    Type.Object({
      name: Type.String(),
      wanted_version: nullable,
      state: oneOf(packageStates),
      /** What the guest has. */
      version: nullable,
      message: nullable,
      updated_at: Type.String(),
    }),
  ),
  created_at: nullable,
  updated_at: nullable,
})

async function view(ctx: Ctx, id: string): Promise<{ software: Static<typeof shown> }> {
  const row = await softwareOf(ctx, id)
  const packages = (await packagesOf(ctx, id)).map(({ name, wanted_version, state, version, message, updated_at }) => ({
    ...{ name, wanted_version, state, version, message, updated_at },
  }))
  const { driver = null, manifest_sha256 = null, status = null, message = null } = row ?? {}
  const times = { created_at: row?.created_at ?? null, updated_at: row?.updated_at ?? null }
  return { software: { driver, manifest_sha256, status, message, packages, ...times } }
}

const show = operation({
  id: 'compute.software.show',
  method: 'GET',
  path,
  summary: 'Show which software a server is to have, and what came of it',
  policy: showSoftware,
  load: loadServer,
  response: body('software', shown),
  handle: (ctx, { target }) => view(ctx, target.id),
})

const update = operation({
  id: 'compute.software.update',
  method: 'PUT',
  path,
  summary:
    'Say which software a server is to have: what is missing is installed, what is not named any more is removed',
  policy: softwareRule,
  load: loadServer,
  request: body('software', softwareRequest),
  status: 202,
  response: body('software', shown),
  async handle(ctx, { target, body: { software } }) {
    const request = checkedRequest('software', software)
    requireAllowed(ctx, target, 'software')
    if (!hasAgent(target.image)) throw new Conflict(noAgent)
    await ctx.transaction(async tx => {
      await replaceSoftware(tx, target.id, request)
      await beginRun(tx, target.id)
    })
    return reply(await view(ctx, target.id), { status: 202 })
  },
})

export const softwareOperations: Operation[] = [show, update]
