/** The options of a domain whose users and groups are in LDAP: upstream's names, and what they are when nobody says. */
import { secret } from '#kernel/config/section.ts'
import { Type } from '#kernel/schema/builders.ts'

/** Those that a domain's administrators may set through the API. */
export const ldapDefaults = {
  url: 'ldap://localhost',
  user: null,
  suffix: 'cn=example,cn=com',
  query_scope: 'one',
  page_size: 0,
  alias_dereferencing: 'default',
  debug_level: null,
  chase_referrals: null,
  user_tree_dn: null,
  user_filter: null,
  user_objectclass: 'inetOrgPerson',
  user_id_attribute: 'cn',
  user_name_attribute: 'sn',
  user_mail_attribute: 'mail',
  user_description_attribute: 'description',
  user_pass_attribute: 'userPassword',
  user_enabled_attribute: 'enabled',
  user_enabled_invert: false,
  user_enabled_mask: 0,
  user_enabled_default: 'True',
  user_attribute_ignore: ['default_project_id'],
  user_default_project_id_attribute: null,
  user_enabled_emulation: false,
  user_enabled_emulation_dn: null,
  user_enabled_emulation_use_group_config: false,
  user_additional_attribute_mapping: [],
  group_tree_dn: null,
  group_filter: null,
  group_objectclass: 'groupOfNames',
  group_id_attribute: 'cn',
  group_name_attribute: 'ou',
  group_members_are_ids: false,
  group_member_attribute: 'member',
  group_desc_attribute: 'description',
  group_attribute_ignore: [],
  group_additional_attribute_mapping: [],
  tls_cacertfile: null,
  tls_cacertdir: null,
  use_tls: false,
  tls_req_cert: 'demand',
  use_pool: true,
  pool_size: 10,
  pool_retry_max: 3,
  pool_retry_delay: 0.1,
  pool_connection_timeout: -1,
  pool_connection_lifetime: 600,
  use_auth_pool: true,
  auth_pool_size: 100,
  auth_pool_connection_lifetime: 60,
}

/** Those of a file besides. */
const fileDefaults = {
  password: null as string | null,
  connection_timeout: -1,
  group_ad_nesting: false,
  /** With which the cloud shows who it is, where the server asks. */
  tls_certfile: null as string | null,
  tls_keyfile: null as string | null,
}

const anything = (names: readonly string[]) =>
  Object.fromEntries(names.map(name => [name, Type.Optional(Type.Unknown())]))

/** The options in a file: numbers and truth as such or as text. */
export const ldapSettings = Type.Object({
  ...anything([...Object.keys(ldapDefaults), ...Object.keys(fileDefaults)]),
  password: Type.Optional(secret({ description: 'With which the cloud itself asks the directory.' })),
})

type Defaults = typeof ldapDefaults & typeof fileDefaults
type Widened<T> = T extends null
  ? string | null
  : T extends boolean
    ? boolean
    : T extends number
      ? number
      : T extends readonly unknown[]
        ? string[]
        : string

export type LdapOptions = { [K in keyof Defaults]: Widened<Defaults[K]> }

const isYes = (value: unknown) => value === true || /^(true|1|yes|on)$/i.test(String(value))

/** Options of the API and of files are text as often as not. */
function read(given: unknown, fallback: unknown): unknown {
  if (given === undefined || given === null) return fallback
  if (typeof fallback === 'boolean') return isYes(given)
  if (typeof fallback === 'number') return Number.isFinite(Number(given)) ? Number(given) : fallback
  if (Array.isArray(fallback)) {
    const list = Array.isArray(given) ? given.map(String) : String(given).split(',')
    return list.map(item => item.trim()).filter(Boolean)
  }
  return String(given)
}

export function ldapOptions(given: Readonly<Record<string, unknown>>): LdapOptions {
  const all = Object.entries({ ...ldapDefaults, ...fileDefaults })
  return Object.fromEntries(all.map(([name, fallback]) => [name, read(given[name], fallback)])) as LdapOptions
}
