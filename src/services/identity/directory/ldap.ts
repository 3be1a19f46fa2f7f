/** A directory that speaks LDAP. What clients send becomes values of filters, never text of them; passwords are tried by a bind. */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { Client, Filter, SearchOptions } from 'ldapts'
import { messageOf, Unavailable } from '#kernel/errors.ts'
import type { LdapOptions } from '../ldap-options.ts'
import type { Directory, DirectoryUser } from './directory.ts'
import { comparable, type Entry, groupOf, isMember, userOf, valuesOf } from './entries.ts'

export interface Bounds {
  /** Of one question, in milliseconds. */
  timeoutMs: number
  /** Entries that one question may have for an answer. */
  most: number
}

type Ldapts = typeof import('ldapts')

/** Matches members of members of a group in Active Directory. */
const inChain = '1.2.840.113556.1.4.1941'
/** Ids asked for by one filter. */
const batch = 100

function tlsOf(options: LdapOptions): ConnectionOptions {
  return {
    rejectUnauthorized: options.tls_req_cert === 'demand',
    ...(options.tls_cacertfile && { ca: readFileSync(options.tls_cacertfile) }),
  }
}

/** At most so many at a time; the others wait their turn. */
function turnstile(places: number) {
  let taken = 0
  const waiting: (() => void)[] = []
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (taken < places) taken++
    else await new Promise<void>(go => waiting.push(go))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else taken--
    }
  }
}

const scopes: Record<string, SearchOptions['scope']> = { one: 'one', sub: 'sub' }
const aliases: Record<string, SearchOptions['derefAliases']> = {
  ...{ never: 'never', searching: 'search', always: 'always', finding: 'find' },
}

export async function ldapDirectory(options: LdapOptions, { timeoutMs, most }: Bounds): Promise<Directory> {
  const library: Ldapts = await import('ldapts')
  const { AndFilter, EqualityFilter, ExtensibleFilter, FilterParser, OrFilter } = library
  const urls = options.url.split(',').map(url => url.trim())
  const userTree = options.user_tree_dn ?? `ou=Users,${options.suffix}`
  const groupTree = options.group_tree_dn ?? `ou=UserGroups,${options.suffix}`
  const inTurn = turnstile(Math.max(1, options.auth_pool_size))
  let kept: Promise<Client> | undefined

  async function connect(dn: string | null, password: string | null): Promise<Client> {
    let last: unknown
    for (const url of urls) {
      const client = new library.Client({
        ...{ url, timeout: timeoutMs, connectTimeout: timeoutMs, strictDN: false },
        ...(url.startsWith('ldaps:') && { tlsOptions: tlsOf(options) }),
      })
      try {
        if (options.use_tls && !url.startsWith('ldaps:')) await client.startTLS(tlsOf(options))
        if (dn !== null) await client.bind(dn, password ?? '')
        return client
      } catch (error) {
        await client.unbind().catch(() => {})
        if (error instanceof library.ResultCodeError) throw error
        last = error
      }
    }
    throw unreachable(last)
  }

  function unreachable(cause: unknown): Unavailable {
    return new Unavailable(`Unable to establish a connection to LDAP Server (${options.url}).`, { cause })
  }

  /** The connection for questions, made anew when it was lost. */
  async function asking<T>(ask: (client: Client) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      // The library opens what was closed again, but nobody is logged in on it.
      if (kept && !(await kept.catch(() => undefined))?.isConnected) kept = undefined
      kept ??= connect(options.user, options.password)
      const opened = kept
      try {
        return await ask(await opened)
      } catch (error) {
        if (kept === opened) kept = undefined
        const answered = error instanceof library.ResultCodeError
        void opened.then(client => client.unbind()).catch(() => {})
        if (error instanceof Unavailable) throw error
        if (answered) throw new Unavailable(`The LDAP server refused a question: ${messageOf(error)}`, { cause: error })
        if (attempt > 0) throw unreachable(error)
      }
    }
  }

  function search(base: string, filter: Filter, scope: SearchOptions['scope']): Promise<Entry[]> {
    const derefAliases = aliases[options.alias_dereferencing]
    const paged = options.page_size > 0 ? { pageSize: options.page_size } : undefined
    return asking(async client => {
      try {
        const { searchEntries } = await client.search(base, {
          ...{ scope: scope ?? 'one', filter, timeLimit: Math.ceil(timeoutMs / 1000) },
          ...(paged ? { paged } : { sizeLimit: most }),
          ...(derefAliases && { derefAliases }),
        })
        return (searchEntries as Entry[]).slice(0, most)
      } catch (error) {
        if (error instanceof library.NoSuchObjectError) return []
        throw error
      }
    })
  }

  const equal = (attribute: string, value: string) => new EqualityFilter({ attribute, value })
  const all = (objectclass: string, own: string | null, ...more: Filter[]) =>
    new AndFilter({
      filters: [equal('objectClass', objectclass), ...(own ? [FilterParser.parseString(own)] : []), ...more],
    })

  /** The places of open accounts, where a group says which they are. */
  async function openAccounts(): Promise<Set<string> | undefined> {
    if (!options.user_enabled_emulation) return undefined
    const dn = options.user_enabled_emulation_dn ?? `cn=enabled_users,${userTree}`
    const own = options.user_enabled_emulation_use_group_config
    const attribute = own ? options.group_member_attribute : 'member'
    const [group] = await search(dn, equal('objectClass', own ? options.group_objectclass : 'groupOfNames'), 'base')
    return new Set(group ? valuesOf(group, attribute).map(comparable) : [])
  }

  async function usersThat(...filters: Filter[]): Promise<DirectoryUser[]> {
    const filter = all(options.user_objectclass, options.user_filter, ...filters)
    const open = await openAccounts()
    const found = await search(userTree, filter, scopes[options.query_scope])
    return found.flatMap(entry => userOf(entry, options, open) ?? [])
  }

  async function groupsThat(...filters: Filter[]) {
    const filter = all(options.group_objectclass, options.group_filter, ...filters)
    const found = await search(groupTree, filter, scopes[options.query_scope])
    return found.flatMap(entry => groupOf(entry, options) ?? [])
  }

  function hasMember({ local_id, place }: DirectoryUser): Filter {
    const attribute = options.group_member_attribute
    if (options.group_ad_nesting) return new ExtensibleFilter({ matchType: attribute, rule: inChain, value: place })
    return equal(attribute, options.group_members_are_ids ? local_id : place)
  }

  return {
    async user({ name }) {
      return (await usersThat(equal(options.user_name_attribute, name)))[0]
    },
    async usersById(localIds) {
      const found: DirectoryUser[] = []
      for (let i = 0; i < localIds.length; i += batch) {
        const filters = localIds.slice(i, i + batch).map(id => equal(options.user_id_attribute, id))
        found.push(...(await usersThat(new OrFilter({ filters }))))
      }
      return found
    },
    users: name => usersThat(...(name === undefined ? [] : [equal(options.user_name_attribute, name)])),
    groups: name => groupsThat(...(name === undefined ? [] : [equal(options.group_name_attribute, name)])),
    groupsOf: user => groupsThat(hasMember(user)),
    isMember: (group, user) => isMember(group, user, options),
    async isPassword({ place }, password) {
      // A bind without a password is one as nobody, and succeeds.
      if (password === '' || password.includes('\0')) return false
      return inTurn(async () => {
        try {
          const client = await connect(place, password)
          await client.unbind().catch(() => {})
          return true
        } catch (error) {
          if (error instanceof library.ResultCodeError) return false
          throw error
        }
      })
    },
    async [Symbol.asyncDispose]() {
      const client = await kept?.catch(() => undefined)
      kept = undefined
      await client?.unbind().catch(() => {})
    },
  }
}
