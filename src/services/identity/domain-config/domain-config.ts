/** The configuration of a domain: groups of options, merged over the defaults. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden, NotFound } from '#kernel/errors.ts'
import { encrypted } from '../credentials/credential.ts'
import { ldapDefaults } from '../ldap-options.ts'
import { type DomainOptionRow, domainOptions } from './store.ts'

export type Options = Record<string, unknown>
export type DomainConfig = Record<string, Options>

/** What each option is when a domain does not say. Nothing here is for a domain's users to choose but these. */
export const optionDefaults: DomainConfig = {
  identity: { driver: 'sql', list_limit: null },
  ldap: ldapDefaults,
}

/** Options that are kept sealed and never shown. */
const secrets: Record<string, readonly string[]> = { ldap: ['password'] }

const isSecret = (group: string, option: string) => secrets[group]?.includes(option) === true

function invalid(reason: string): Forbidden {
  return new Forbidden(`Invalid domain specific configuration: ${reason}.`)
}

/** Refuses groups and options that a domain cannot set. */
export function checkKnown(group?: string, option?: string): void {
  if (group === undefined) return
  if (!Object.hasOwn(optionDefaults, group)) {
    throw invalid(`Group ${group} is not supported for domain specific configurations`)
  }
  if (option === undefined || Object.hasOwn(optionDefaults[group]!, option) || isSecret(group, option)) return
  throw invalid(`Option ${option} in group ${group} is not supported for domain specific configurations`)
}

/** The sent configuration, when every part of it may be set. */
export function checkConfig(sent: Record<string, unknown>): DomainConfig {
  if (Object.keys(sent).length === 0) throw invalid('No options specified')
  for (const [group, options] of Object.entries(sent)) {
    if (
      typeof options !== 'object' ||
      options === null ||
      Array.isArray(options) ||
      Object.keys(options).length === 0
    ) {
      throw invalid(`The value of group ${group} specified in the config should be a dictionary of options`)
    }
    for (const option of Object.keys(options)) checkKnown(group, option)
  }
  return sent as DomainConfig
}

/** Refuses an update of one group or option that says something else too. */
export function checkUpdate(config: DomainConfig, group?: string, option?: string): void {
  if (group === undefined) return
  const groups = Object.keys(config)
  const options = Object.keys(config[group] ?? {})
  if (groups.length !== 1 || (option !== undefined && options.length > 1)) {
    throw invalid(
      option === undefined
        ? `Trying to update group ${group}, so that, and only that, group must be specified in the config`
        : `Trying to update option ${option} in group ${group}, so that, and only that, option must be specified  in the config`,
    )
  }
  if (groups[0] !== group) {
    throw invalid(`request to update group ${group}, but config provided contains group ${groups[0]} instead`)
  }
  if (option !== undefined && options[0] !== option) {
    throw invalid(
      `Trying to update option ${option} in group ${group}, but config provided contains option ${options[0]} instead`,
    )
  }
}

export function missing(domainId: string, group?: string, option?: string): NotFound {
  const what =
    option !== undefined ? `option ${option} in group ${group}` : group !== undefined ? `group ${group}` : 'any options'
  return new NotFound(`Could not find ${what} in domain configuration for domain ${domainId}.`)
}

/** The rows of a domain's configuration, or a part of it. */
export function rowsOf(ctx: Ctx, domain_id: string, group?: string, option?: string): Promise<DomainOptionRow[]> {
  const where = {
    domain_id,
    ...(group !== undefined && { group_name: group }),
    ...(option !== undefined && { option_name: option }),
  }
  return domainOptions.list(ctx.db, where, {
    orderBy: [
      { column: 'group_name', direction: 'asc' },
      { column: 'option_name', direction: 'asc' },
    ],
  })
}

/** As it is shown: without secrets. */
export function shown(rows: readonly DomainOptionRow[]): DomainConfig {
  const config: DomainConfig = {}
  for (const { group_name, option_name, value } of rows) {
    if (!('plain' in value)) continue
    config[group_name] ??= {}
    config[group_name][option_name] = value.plain
  }
  return config
}

/** Sets options, those that are there already anew. */
export async function putOptions(ctx: Ctx, domain_id: string, config: DomainConfig): Promise<void> {
  for (const [group_name, options] of Object.entries(config)) {
    for (const [option_name, plain] of Object.entries(options)) {
      const value = isSecret(group_name, option_name) ? { sealed: await encrypted(ctx, String(plain)) } : { plain }
      await domainOptions.remove(ctx.db, { domain_id, group_name, option_name })
      await domainOptions.insert(ctx.db, { domain_id, group_name, option_name, value })
    }
  }
}
