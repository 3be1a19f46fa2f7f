/** The configuration of domains: whole, by group and by option. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { oneOf } from '../answers.ts'
import { identityConfig } from '../config.ts'
import { forbiddenAction } from '../faults.ts'
import { adminOrSystemReader, adminRequired, allScopes, identityRule, systemOrProject } from '../policy.ts'
import { findDomain } from '../projects/project.ts'
import { identityChanged } from '../revocations/revocation.ts'
import {
  checkConfig,
  checkKnown,
  checkUpdate,
  missing,
  optionDefaults,
  putOptions,
  rowsOf,
  shown,
} from './domain-config.ts'
import { domainOptions } from './store.ts'

/** Options by group; where only one is asked for, that alone. */
const configAnswer = Type.Record(Type.String(), Type.Unknown())

const get = identityRule('get_domain_config', adminOrSystemReader, systemOrProject)
const readCompliance = identityRule('get_security_compliance_domain_config', '', allScopes)
const readDefault = identityRule('get_domain_config_default', adminOrSystemReader, systemOrProject)
const create = identityRule('create_domain_config', adminRequired, systemOrProject)
const update = identityRule('update_domain_config', adminRequired, systemOrProject)
const remove = identityRule('delete_domain_config', adminRequired, systemOrProject)

export const domainConfigRules = [get]

interface Place {
  domain_id: string
  group?: string
  option?: string
}

const request = Type.Object({ config: Type.Record(Type.String({ maxLength: 255 }), Type.Unknown()) })

/** Rules of passwords that everybody may read, so as to choose one that is taken. */
function compliance(ctx: Ctx, { domain_id, option }: Place) {
  if (domain_id !== 'default') {
    throw forbiddenAction(
      'Reading security compliance information for any domain other than the default domain is not allowed or supported.',
    )
  }
  const { password_regex, password_regex_description } = ctx.config.of(identityConfig)
  const readable: Record<string, string | null> = {
    password_regex: password_regex || null,
    password_regex_description: password_regex_description || null,
  }
  if (option === undefined) return { security_compliance: readable }
  if (!Object.hasOwn(readable, option)) {
    throw forbiddenAction(
      'Reading security compliance values other than password_regex and password_regex_description is not allowed.',
    )
  }
  return { [option]: readable[option] }
}

async function configOf(ctx: Ctx, { domain_id, group, option }: Place) {
  checkKnown(group, option)
  const config = shown(await rowsOf(ctx, domain_id, group, option))
  if (Object.keys(config).length === 0) throw missing(domain_id, group, option)
  return option === undefined ? config : { [option]: config[group!]![option] }
}

const levels = [
  { id: 'identity.domain_config', path: '/v3/domains/{domain_id}/config', of: 'a domain' },
  { id: 'identity.domain_config_group', path: '/v3/domains/{domain_id}/config/{group}', of: 'a group of a domain' },
  {
    id: 'identity.domain_config_option',
    path: '/v3/domains/{domain_id}/config/{group}/{option}',
    of: 'an option of a domain',
  },
] as const

function operationsAt({ id, path, of }: (typeof levels)[number]): Operation[] {
  const load = async (ctx: Ctx, { params }: { params: object }) => {
    await findDomain(ctx, (params as Place).domain_id)
    return {}
  }
  return [
    operation({
      id: `${id}.show`,
      method: 'GET',
      path,
      summary: `Show the configuration of ${of}`,
      response: oneOf('config', configAnswer),
      policy: readCompliance,
      load,
      async handle(ctx, { params }) {
        const place = params as Place
        if (place.group === 'security_compliance') return { config: compliance(ctx, place) }
        ctx.enforce(get, {})
        return { config: await configOf(ctx, place) }
      },
    }),
    operation({
      id: `${id}.update`,
      method: 'PATCH',
      path,
      summary: `Change the configuration of ${of}`,
      response: oneOf('config', configAnswer),
      policy: update,
      request,
      load,
      async handle(ctx, { params, body }) {
        const { domain_id, group, option } = params as Place
        // Of one option, its group is not said again.
        const config = checkConfig(option === undefined ? body.config : { [group!]: body.config })
        checkKnown(group, option)
        checkUpdate(config, group, option)
        return ctx.transaction(async tx => {
          const known = await rowsOf(tx, domain_id, group, option)
          if (group !== undefined && known.length === 0) throw missing(domain_id, group, option)
          await putOptions(tx, domain_id, config)
          await identityChanged(tx)
          return { config: await configOf(tx, { domain_id }) }
        })
      },
    }),
    operation({
      id: `${id}.delete`,
      method: 'DELETE',
      path,
      summary: `Delete the configuration of ${of}`,
      policy: remove,
      load,
      async handle(ctx, { params }) {
        const { domain_id, group, option } = params as Place
        checkKnown(group, option)
        await ctx.transaction(async tx => {
          const found = await rowsOf(tx, domain_id, group, option)
          if (group !== undefined && found.length === 0) throw missing(domain_id, group, option)
          for (const { group_name, option_name } of found) {
            await domainOptions.remove(tx.db, { domain_id, group_name, option_name })
          }
          await identityChanged(tx)
        })
        return undefined
      },
    }),
  ]
}

const put = operation({
  id: 'identity.domain_config.put',
  method: 'PUT',
  path: '/v3/domains/{domain_id}/config',
  summary: 'Set the configuration of a domain',
  response: oneOf('config', configAnswer),
  policy: create,
  request,
  load: async (ctx, { params }) => {
    await findDomain(ctx, params.domain_id)
    return {}
  },
  async handle(ctx, { params: { domain_id }, body }) {
    const config = checkConfig(body.config)
    return ctx.transaction(async tx => {
      const replaced = await domainOptions.remove(tx.db, { domain_id })
      await putOptions(tx, domain_id, config)
      await identityChanged(tx)
      return reply({ config: shown(await rowsOf(tx, domain_id)) }, { status: replaced > 0 ? 200 : 201 })
    })
  },
})

function defaultOperation(
  id: string,
  path: '/v3/domains/config/default' | `/v3/domains/config/{group}${string}`,
): Operation {
  return operation({
    id,
    method: 'GET',
    path,
    summary: 'Show what options of domains are when a domain does not set them',
    response: oneOf('config', configAnswer),
    policy: readDefault as Rule,
    async handle(_ctx, { params }) {
      const { group, option } = params as { group?: string; option?: string }
      checkKnown(group, option)
      if (group === undefined) return { config: optionDefaults }
      const options = optionDefaults[group]!
      if (option === undefined) return { config: { [group]: options } }
      if (!Object.hasOwn(options, option)) {
        throw forbiddenAction(`Reading the default for option ${option} in group ${group} is not supported`)
      }
      return { config: { [option]: options[option] } }
    },
  })
}

export const domainConfigOperations: Operation[] = [
  put,
  ...levels.flatMap(operationsAt),
  defaultOperation('identity.domain_config_defaults.show', '/v3/domains/config/default'),
  defaultOperation('identity.domain_config_defaults.show_group', '/v3/domains/config/{group}/default'),
  defaultOperation('identity.domain_config_defaults.show_option', '/v3/domains/config/{group}/{option}/default'),
]
