/** A directory that speaks LDAP. What clients send becomes values of filters, never text of them; passwords are tried by a bind. */
import { readdirSync, readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Client, Filter, SearchOptions } from 'ldapts'
import type { Clock } from '#kernel/clock.ts'
import { messageOf, Unavailable } from '#kernel/errors.ts'
import { turnstile } from '#kernel/turnstile.ts'
import type { LdapOptions } from '../ldap-options.ts'
import type { Directory, DirectoryGroup, DirectoryUser } from './directory.ts'
import { comparable, type Entry, groupOf, isMember, userOf, valuesOf } from './entries.ts'

export interface Bounds {
  /** Of one question, in milliseconds. */
  timeoutMs: number
  /** Entries that one question may have for an answer. */
  most: number
  clock: Clock
}

type Ldapts = typeof import('ldapts')

/** Matches members of groups in a group in Active Directory. */
const inChain = '1.2.840.113556.1.4.1941'
/** Ids asked for by one filter. */
const batch = 100

/** The certificate must be of the host that was asked for, also of a connection that was open before. */
function tlsOf(options: LdapOptions, url: string): ConnectionOptions {
  return {
    host: new URL(url).hostname.replace(/^\[|\]$/g, ''),
    rejectUnauthorized: options.tls_req_cert === 'demand',
    ...authoritiesOf(options),
    ...(options.tls_certfile && { cert: readFileSync(options.tls_certfile) }),
    ...(options.tls_keyfile && { key: readFileSync(options.tls_keyfile) }),
  }
}

function authoritiesOf({ tls_cacertfile: file, tls_cacertdir: folder }: LdapOptions): { ca?: Buffer[] } {
  const files = file ? [file] : folder ? readdirSync(folder).map(name => join(folder, name)) : []
  return files.length > 0 ? { ca: files.map(name => readFileSync(name)) } : {}
}

/** One connection only: the library would open a lost one again, without TLS and as nobody. */
function once<F extends (...args: never[]) => unknown>(open: F): F {
  let isUsed = false
  return ((...args: Parameters<F>) => {
    if (isUsed) throw new Error('the connection was lost')
    isUsed = true
    return open(...args)
  }) as F
}

const scopes: Record<string, SearchOptions['scope']> = { one: 'one', sub: 'sub' }
const aliases: Record<string, SearchOptions['derefAliases']> = {
  ...{ never: 'never', searching: 'search', always: 'always', finding: 'find' },
}

export async function ldapDirectory(options: LdapOptions, { timeoutMs, most, clock }: Bounds): Promise<Directory> {
  const library: Ldapts = await import('ldapts')
  const { AndFilter, EqualityFilter, ExtensibleFilter, FilterParser, OrFilter } = library
  const urls = options.url.split(',').map(url => url.trim())
  const userTree = options.user_tree_dn ?? `ou=Users,${options.suffix}`
  const groupTree = options.group_tree_dn ?? `ou=UserGroups,${options.suffix}`
  const inTurn = turnstile(Math.max(1, options.auth_pool_size))
  let kept: Promise<Client> | undefined

  /** Opens, secures and logs in; all of it in time, since a server may stop answering anywhere in between. */
  async function open(client: Client, url: string, dn: string | null, password: string | null): Promise<Client> {
    if (options.use_tls && !url.startsWith('ldaps:')) await client.startTLS(tlsOf(options, url))
    if (dn !== null) await client.bind(dn, password ?? '')
    return client
  }

  async function inTime<T>(work: Promise<T>): Promise<T> {
    const ended = new AbortController()
    const late = clock.sleep(timeoutMs, ended.signal).then(() => Promise.reject(new Error('no answer in time')))
    late.catch(() => {})
    try {
      return await Promise.race([work, late])
    } finally {
      ended.abort()
    }
  }

  async function connect(dn: string | null, password: string | null): Promise<Client> {
    let last: unknown
    for (const url of urls) {
      const client = new library.Client({
        ...{ url, timeout: timeoutMs, connectTimeout: timeoutMs, strictDN: false },
        ...{ createConnection: once(connectTcp), createSecureConnection: once(connectTls) },
        ...(url.startsWith('ldaps:') && { tlsOptions: tlsOf(options, url) }),
      })
      try {
        return await inTime(open(client, url, dn, password))
      } catch (error) {
        void client.unbind().catch(() => {})
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

  /** An answer that was cut off would take groups from users who are in them. */
  function tooMany(base: string): Unavailable {
    return new Unavailable(
      `There are more entries below ${base} than one question may bring: raise directory_entries (${most}), set page_size, or narrow user_filter and group_filter.`,
    )
  }

  function search(base: string, filter: Filter, scope: SearchOptions['scope']): Promise<Entry[]> {
    const derefAliases = aliases[options.alias_dereferencing]
    const question = {
      ...{ scope: scope ?? 'one', filter, timeLimit: Math.ceil(timeoutMs / 1000) },
      ...(derefAliases && { derefAliases }),
    }
    return asking(async client => {
      try {
        if (options.page_size === 0) {
          // With a limit of ours, the library would not tell of the server's.
          const { searchEntries } = await client.search(base, question)
          if (searchEntries.length > most) throw tooMany(base)
          return searchEntries as Entry[]
        }
        const found: Entry[] = []
        for await (const page of client.searchPaginated(base, {
          ...question,
          paged: { pageSize: options.page_size },
        })) {
          found.push(...(page.searchEntries as Entry[]))
          if (found.length > most) throw tooMany(base)
        }
        return found
      } catch (error) {
        if (error instanceof library.NoSuchObjectError) return []
        if (error instanceof library.SizeLimitExceededError) throw tooMany(base)
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
    async membersOf(group) {
      if (options.group_ad_nesting) {
        return usersThat(new ExtensibleFilter({ matchType: 'memberOf', rule: inChain, value: group.place }))
      }
      return (await usersThat()).filter(user => isMember(group, user, options))
    },
    async groupsOfAll(users, groups) {
      if (!options.group_ad_nesting) return users.map(user => groups.filter(group => isMember(group, user, options)))
      const all: DirectoryGroup[][] = []
      for (const user of users) all.push(await groupsThat(hasMember(user)))
      return all
    },
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
