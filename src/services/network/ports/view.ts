/** What a port shows that is not in its row: addresses, security groups, how it is bound, names in DNS. */
import type { Ctx } from '#kernel/context.ts'
import type { Target } from '#kernel/policy/credentials.ts'
import { networkConfig } from '../config.ts'
import { hostRows } from '../hosts/store.ts'
import { hangingOn, type PortAddress, type PortRow } from './store.ts'

export async function viewPorts(
  ctx: Ctx,
  rows: PortRow[],
  targets: readonly Target[],
): Promise<Record<string, unknown>[]> {
  const hanging = await hangingOn(
    ctx.db,
    rows.map(row => row.id),
  )
  const domain = ctx.config.of(networkConfig).dns_domain
  const refused = await refusedByHosts(ctx, rows)
  return rows.map((row, i) => {
    const { ips, groups } = hanging.get(row.id)!
    const bound = row.binding_host_id !== '' && !refused.has(row.id)
    return {
      fixed_ips: ips.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
      security_groups: groups,
      'binding:vif_type': refused.has(row.id) ? 'binding_failed' : bound ? 'bridge' : 'unbound',
      'binding:vif_details': bound ? { port_filter: true, connectivity: 'l2' } : {},
      dns_assignment: assignments(row, ips, String(targets[i]!['network:dns_domain'] || domain)),
      qos_policy_id: null,
    }
  })
}

/** Ports that their hosts could not carry, as these last reported. */
async function refusedByHosts(ctx: Ctx, rows: PortRow[]): Promise<Set<string>> {
  const waiting = rows.filter(row => row.status === 'DOWN' && row.binding_host_id !== '')
  const names = [...new Set(waiting.map(row => row.binding_host_id))]
  if (names.length === 0) return new Set()
  const problems = (await hostRows.list(ctx.db, { host: names })).flatMap(host =>
    host.problems.map(problem => `${host.host} ${problem.id}`),
  )
  const told = new Set(problems)
  return new Set(waiting.filter(row => told.has(`${row.binding_host_id} ${row.id}`)).map(row => row.id))
}

/** The port's names in DNS, one for each address. */
function assignments(row: PortRow, ips: PortAddress[], domain: string) {
  return ips.map(({ ip_address }) => {
    const hostname = row.dns_name || `host-${ip_address.replaceAll(/[.:]+/g, '-')}`
    return { ip_address, hostname, fqdn: hostname.endsWith('.') ? hostname : `${hostname}.${domain}` }
  })
}
