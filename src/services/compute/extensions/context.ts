/** What extensions are given of a request's context: a part that stays as it is while the rest changes. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Fault, NotFound } from '#kernel/errors.ts'
import type { TSchema } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { computeConfig } from '../config.ts'
import { isAdmin } from '../dialect.ts'
import type { Attribute, Extension, ExtensionContext, Values } from './extension.ts'
import { requireKeepable } from './extensions.ts'
import { listValues, setValue, valuesOf } from './store.ts'

const { STATUS_CODES } = process.getBuiltinModule('node:http')

export function contextOf(ctx: Ctx, extension: Extension, signal: AbortSignal): ExtensionContext {
  const { user_id, project_id, roles } = ctx.identity
  const log = ctx.log.child({ extension: extension.alias })
  return {
    caller: { user_id, roles, is_admin: isAdmin(ctx), ...(project_id !== undefined && { project_id }) },
    request_id: ctx.requestId,
    now: () => ctx.clock.now(),
    fault,
    values: valuesFor(ctx, extension),
    signal,
    log: {
      info: (facts, text) => log.info(facts, text),
      warn: (facts, text) => log.warn(facts, text),
      error: (facts, text) => log.error(facts, text),
    },
  }
}

function fault(status: number, message: string): Error {
  if (!Number.isInteger(status) || status < 400 || status > 599)
    return new Error(`${status} is no status of a fault: say one from 400 to 599 (${message})`)
  return new Fault(status, STATUS_CODES[status] ?? 'Error', message)
}

function valuesFor(ctx: Ctx, { alias, attributes = {} }: Extension): Values {
  const own = (name: string): Attribute => {
    const found = Object.hasOwn(attributes, name) && attributes[name]
    if (!found) throw new Error(`${name} is no attribute of extension ${alias}`)
    return found
  }
  return {
    async of(name, ids) {
      own(name)
      const found = await valuesOf(ctx, ids)
      return new Map(found.filter(row => row.name === name).map(row => [row.server_id, row.value]))
    },
    async list(name, { limit, marker } = {}) {
      own(name)
      const most = ctx.config.of(computeConfig).max_page
      const page = { limit: Math.max(1, Math.min(limit ?? most, most)), ...(marker !== undefined && { marker }) }
      const found = await listValues(ctx, { name, project_id: ctx.identity.project_id ?? '', ...page })
      return found.map(({ server_id, value }) => ({ server_id, value }))
    },
    async set(name, server_id, value = null) {
      const problem = value === null ? undefined : problemOf(own(name).schema as TSchema, value)
      if (problem) throw new BadRequest(`Invalid input for field/attribute ${name}. ${problem.message}`)
      own(name)
      requireKeepable(name, value)
      if (!(await setValue(ctx, { server_id, name, value })))
        throw new NotFound(`Instance ${server_id} could not be found.`)
    },
  }
}
