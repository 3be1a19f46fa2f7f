/** Entries of LDAP as users and groups, by the domain's options. Pure. */
import type { LdapOptions } from '../ldap-options.ts'
import type { DirectoryGroup, DirectoryUser } from './directory.ts'

/** An entry as the library gives it: attributes with one value or several, text or bytes. */
export type Entry = { dn: string } & Record<string, string | Buffer | readonly (string | Buffer)[]>

/** All values of an attribute. Servers write names of attributes in their own case. */
export function valuesOf(entry: Entry, attribute: string | null): string[] {
  if (!attribute) return []
  const wanted = attribute.toLowerCase()
  const value = Object.entries(entry).find(([name]) => name.toLowerCase() === wanted)?.[1]
  if (value === undefined) return []
  return (Array.isArray(value) ? value : [value]).map(String)
}

const first = (entry: Entry, attribute: string | null): string | undefined => valuesOf(entry, attribute)[0]

/** A distinguished name in a spelling that compares. */
export function comparable(dn: string): string {
  return dn.toLowerCase().replace(/\s*([,=+])\s*/g, '$1')
}

/** Only what says yes is one: a directory's `FALSE` is text as well. */
const saysYes = (text: string) => /^(true|1|yes|on)$/i.test(text)

/** Whether the account is open, by whichever way the directory says so. */
function isEnabled(entry: Entry, options: LdapOptions): boolean {
  const text = first(entry, options.user_enabled_attribute) ?? options.user_enabled_default
  if (options.user_enabled_mask !== 0) {
    const bits = Number.parseInt(text, 10)
    // What cannot be read is closed. The bits are those of an account that is (Active Directory's 2).
    return !Number.isNaN(bits) && (bits & options.user_enabled_mask) !== options.user_enabled_mask
  }
  return saysYes(text) !== options.user_enabled_invert
}

/** `ldap_attribute:attribute` of each additional mapping. */
function additional(entry: Entry, mappings: readonly string[]): [string, string][] {
  return mappings.flatMap(mapping => {
    const [from = '', to = ''] = mapping.split(':')
    const value = first(entry, from)
    return value === undefined || to === '' ? [] : [[to, value]]
  })
}

/** `enabled` says the group of open accounts, where the directory keeps one. Undefined for an entry without id or name. */
export function userOf(entry: Entry, options: LdapOptions, enabled?: ReadonlySet<string>): DirectoryUser | undefined {
  const local_id = first(entry, options.user_id_attribute)
  const name = first(entry, options.user_name_attribute)
  if (!local_id || !name) return undefined
  const ignored = new Set(options.user_attribute_ignore)
  const mapped: [string, string | undefined][] = [
    ['email', first(entry, options.user_mail_attribute)],
    ['description', first(entry, options.user_description_attribute)],
    ...additional(entry, options.user_additional_attribute_mapping),
  ]
  const extra = mapped.filter((pair): pair is [string, string] => pair[1] !== undefined && !ignored.has(pair[0]))
  const project = first(entry, options.user_default_project_id_attribute)
  const isOpen = ignored.has('enabled') || (enabled ? enabled.has(comparable(entry.dn)) : isEnabled(entry, options))
  return {
    local_id,
    place: entry.dn,
    name,
    enabled: isOpen,
    default_project_id: ignored.has('default_project_id') ? null : (project ?? null),
    extra: Object.fromEntries(extra),
  }
}

export function groupOf(entry: Entry, options: LdapOptions): DirectoryGroup | undefined {
  const local_id = first(entry, options.group_id_attribute)
  const name = first(entry, options.group_name_attribute)
  if (!local_id || !name) return undefined
  const described = !options.group_attribute_ignore.includes('description')
  return {
    local_id,
    place: entry.dn,
    name,
    description: described ? (first(entry, options.group_desc_attribute) ?? '') : '',
    members: valuesOf(entry, options.group_member_attribute),
  }
}

export function isMember(group: DirectoryGroup, user: DirectoryUser, options: LdapOptions): boolean {
  if (options.group_members_are_ids) return group.members.includes(user.local_id)
  const place = comparable(user.place)
  return group.members.some(member => comparable(member) === place)
}
