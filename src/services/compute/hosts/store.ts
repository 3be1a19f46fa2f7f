/** Hosts in the database. */
import { rows } from '#kernel/db/rows.ts'
import type { HostRow } from './host.ts'

type NewHost = Omit<HostRow, 'id'>

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_hosts: HostRow
  }
}

const options = { json: ['facts', 'machine'], bool: ['disabled', 'forced_down'] } as const
export const hosts = rows<HostRow>('compute_hosts', { json: [...options.json], bool: [...options.bool] })

/** For rows whose id the database gives. */
export const newHosts = rows<NewHost>('compute_hosts', { json: [...options.json], bool: [...options.bool] })

/** By id, which is the order of their first reports. */
export const inOrder = { orderBy: [{ column: 'id' as const, direction: 'asc' as const }] }
