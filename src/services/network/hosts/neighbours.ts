/** What the hosts of a network, or of a security group, read alike: read once for all of them as long as nothing changes. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import type { LeaseSpec } from '../drivers/driver.ts'
import { grouped } from '../ports/store.ts'
import { type LeaseRow, leasesOf, membersOf, revisionNow } from './store.ts'

/** Values by id; those that are not there yet are read together. */
type Reading<T> = (ids: string[]) => Promise<Map<string, T>>

export interface Neighbours {
  /** Leases of networks. */
  leases: Reading<LeaseSpec[]>
  /** Addresses of the members of security groups. */
  members: Reading<string[]>
}

const latest = perCloud(() => ({ revision: -1, neighbours: undefined as Neighbours | undefined }))

/** As they are at the newest revision, or later. */
export async function neighboursOf(ctx: Ctx): Promise<Neighbours> {
  const revision = await revisionNow(ctx.db)
  const kept = latest(ctx)
  if (kept.neighbours === undefined || kept.revision < revision)
    Object.assign(kept, { revision, neighbours: read(ctx.db) })
  return kept.neighbours!
}

function read(db: Db): Neighbours {
  return {
    leases: once(async ids => {
      const found = grouped(ids, await leasesOf(db, ids), lease => lease.network_id)
      return new Map([...found].map(([id, leases]) => [id, leaseSpecs(leases)]))
    }),
    members: once(ids => membersOf(db, ids)),
  }
}

/** What could not be read is read again. */
function once<T>(readAll: Reading<T>): Reading<T> {
  const known = new Map<string, Promise<T>>()
  return async ids => {
    const missing = ids.filter(id => !known.has(id))
    if (missing.length > 0) {
      const reading = readAll(missing)
      for (const id of missing) {
        const one = reading.then(all => all.get(id)!)
        one.catch(() => known.delete(id))
        known.set(id, one)
      }
    }
    return new Map(await Promise.all(ids.map(async id => [id, await known.get(id)!] as const)))
  }
}

function leaseSpecs(found: LeaseRow[]): LeaseSpec[] {
  const byPort = grouped([], found, lease => lease.port_id)
  return [...byPort.values()].map(leases => {
    const { port_id, mac_address: mac, dns_name: hostname, extra_dhcp_opts } = leases[0]!
    return {
      port_id,
      mac,
      ips: leases.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
      hostname,
      dhcp_options: extra_dhcp_opts.map(({ opt_name: name, opt_value: value, ip_version }) => ({
        name,
        value,
        ip_version,
      })),
    }
  })
}
