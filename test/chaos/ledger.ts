/** What the cloud has accepted: what it must still have after any crash, and what must be gone. */
import type { Kind, Request } from '../simulation/clients.ts'
import type { Problem } from '../simulation/invariants.ts'

interface Entry {
  kind: Kind
  id: string
  gone: boolean
  /** Deletions that were asked for and not refused: as long as there is one, it may be there or not. */
  asked: number
  /** It goes with any of these. */
  within: string[]
  /** An image whose bytes were taken. */
  whole?: boolean
  /** What a change that was answered has made of it; nothing where nobody can know. */
  values: Values
  /** Changes without an answer yet. */
  changing: number
  /** A change had no answer, or was not alone. */
  blurred: boolean
}

type Values = Record<string, unknown>

/** Fields that change by nothing but a request to do so. */
const changeable = ['name', 'admin_state_up']

export interface Found {
  id: string
  status?: string
  [field: string]: unknown
}

export interface Ledger {
  sent(request: Request): void
  /** `status` 0: no answer came. */
  answered(request: Request, status: number, body: unknown): Problem[]
  /** Compares with what is there. */
  problems(kind: Kind, found: readonly Found[]): Problem[]
  /** Nothing is known of a kind any more. */
  forget(kind: Kind): void
  /** All accepted so far. */
  readonly accepted: { made: number; deleted: number; other: number }
}

/** Kinds whose lists are compared; names of key pairs come back, so those are not. */
export const lists: Partial<Record<Kind, { path: string; collection: string }>> = {
  server: { path: '/compute/v2.1/servers?all_tenants=1&limit=1000', collection: 'servers' },
  server_group: { path: '/compute/v2.1/os-server-groups?all_projects=1', collection: 'server_groups' },
  image: { path: '/image/v2/images?limit=1000', collection: 'images' },
  network: { path: '/network/v2.0/networks', collection: 'networks' },
  subnet: { path: '/network/v2.0/subnets', collection: 'subnets' },
  port: { path: '/network/v2.0/ports', collection: 'ports' },
  router: { path: '/network/v2.0/routers', collection: 'routers' },
  floatingip: { path: '/network/v2.0/floatingips', collection: 'floatingips' },
  security_group: { path: '/network/v2.0/security-groups', collection: 'security_groups' },
  security_group_rule: { path: '/network/v2.0/security-group-rules', collection: 'security_group_rules' },
  project: { path: '/identity/v3/projects', collection: 'projects' },
  user: { path: '/identity/v3/users', collection: 'users' },
}

export function newLedger(): Ledger {
  const entries = new Map<string, Entry>()
  const accepted = { made: 0, deleted: 0, other: 0 }

  /** What a request would delete, if anything. */
  function removedBy({ removes, method, path, body }: Request): Entry | undefined {
    if (removes) return entries.get(removes[1])
    const forced = method === 'POST' && Object.hasOwn((body as object | undefined) ?? {}, 'forceDelete')
    return forced ? entries.get(path.split('/').at(-2)!) : undefined
  }

  /** What a request would change, and to what. */
  function changedBy({ method, path, body }: Request): [Entry, Values] | undefined {
    const [collection, id] = path.split('/').slice(-2)
    const entry = method === 'PUT' && id !== undefined ? entries.get(id) : undefined
    if (!entry || collection !== lists[entry.kind]!.collection) return undefined
    const wanted = (body as Record<string, Values>)[entry.kind] ?? {}
    return [entry, Object.fromEntries(Object.entries(wanted).filter(([field]) => changeable.includes(field)))]
  }

  function takeChange([entry, wanted]: [Entry, Values], status: number): void {
    entry.changing--
    // Without an answer it may still come about, after others.
    if (status === 0) entry.blurred = true
    if (status >= 400 && status < 500) return
    if (status >= 200 && status < 300) Object.assign(entry.values, wanted)
    else for (const field of Object.keys(wanted)) delete entry.values[field]
  }

  /** Whether it may have gone with what it is in. */
  function mayBeGoneWith({ within }: Entry): boolean {
    return within.some(id => {
      const parent = entries.get(id)
      return parent !== undefined && (parent.gone || parent.asked > 0)
    })
  }

  const wrong = (invariant: string, { kind, id }: Entry, more = ''): Problem => ({
    invariant,
    about: `${kind} ${id}${more}`,
    ids: [id],
  })

  return {
    accepted,
    sent(request) {
      const entry = removedBy(request)
      if (entry) entry.asked++
      const change = changedBy(request)
      if (change && ++change[0].changing > 1) change[0].blurred = true
    },
    answered(request, status, body) {
      const entry = removedBy(request)
      const fine = status >= 200 && status < 300
      const change = changedBy(request)
      if (change) takeChange(change, status)
      if (entry) {
        const lost = status === 404 && entry.asked === 1 && !entry.gone && !mayBeGoneWith(entry)
        if (fine || status === 404) entry.gone = true
        else if (status >= 400 && status < 500) entry.asked--
        if (fine) accepted.deleted++
        return lost ? [wrong('what was accepted is there', entry, ' was not found')] : []
      }
      if (!fine || request.method === 'GET') return []
      const made = request.makes && idOf(request.makes, body)
      if (request.makes && made) {
        accepted.made++
        entries.set(made, {
          ...{ kind: request.makes, id: made, gone: false, asked: 0 },
          ...{ values: {}, changing: 0, blurred: false, within: parentsOf(request) },
        })
      } else accepted.other++
      const image = /^\/image\/v2\/images\/([^/]+)\/file$/.exec(request.path)?.[1]
      const uploaded = image === undefined ? undefined : entries.get(image)
      if (uploaded && request.method === 'PUT') uploaded.whole = true
      return []
    },
    problems(kind, found) {
      const there = new Map(found.map(one => [one.id, one]))
      return [...entries.values()].flatMap(entry => {
        if (entry.kind !== kind) return []
        const one = there.get(entry.id)
        if (entry.gone) return one ? [wrong('what was deleted is gone', entry)] : []
        if (entry.asked > 0 || mayBeGoneWith(entry)) return []
        if (!one) return [wrong('what was accepted is there', entry)]
        if (entry.whole && one.status !== 'active')
          return [wrong('an upload that was taken stays', entry, ` is ${one.status}`)]
        if (entry.blurred) return []
        return Object.entries(entry.values)
          .filter(([field, value]) => one[field] !== value)
          .map(([field, value]) =>
            wrong('a change that was accepted stays', entry, `: ${field} is ${one[field]}, not ${value}`),
          )
      })
    },
    forget(kind) {
      for (const { id } of [...entries.values()].filter(entry => entry.kind === kind)) entries.delete(id)
    },
  }
}

function idOf(kind: Kind, body: unknown): string | undefined {
  if (!lists[kind]) return undefined
  const one = ((body as Record<string, unknown> | null)?.[kind] ?? body) as { id?: string } | null
  return one?.id
}

function parentsOf({ body }: Request): string[] {
  const { subnet, security_group_rule: rule } = (body ?? {}) as Record<string, Record<string, string> | undefined>
  return [subnet?.network_id, rule?.security_group_id, rule?.remote_group_id].filter(id => id !== undefined)
}
