/** `nephos fixed list`: the addresses in use on one host, with the server and the MAC of each. */
import { adminApi, answered } from './admin-api.ts'

export interface HostPort {
  device_id: string
  device_owner: string
  mac_address: string
  fixed_ips: { ip_address: string }[]
}

/** One line an address of a server, sorted as text. */
export function fixedLines(ports: readonly HostPort[]): string[] {
  const rows = ports
    .filter(({ device_owner }) => device_owner.startsWith('compute:'))
    .flatMap(({ device_id, mac_address, fixed_ips }) =>
      fixed_ips.map(ip => [ip.ip_address, device_id, mac_address] as const),
    )
  const width = Math.max(0, ...rows.map(([address]) => address.length))
  return rows.map(([address, server, mac]) => `${address.padEnd(width)}  ${server}  ${mac}`).sort()
}

/** Exit code 1 when there is no such host. */
export async function fixedList({ data, host }: { data: string; host: string }): Promise<number> {
  const api = await adminApi(data)
  const named = encodeURIComponent(host)
  const { services } = answered(await api.compute<{ services: unknown[] }>(`/os-services?host=${named}`))
  if (services.length === 0) {
    console.error(`There is no host ${host}: openstack compute service list names them.`)
    return 1
  }
  const fields = ['device_id', 'device_owner', 'mac_address', 'fixed_ips'].map(field => `fields=${field}`).join('&')
  const { ports } = answered(await api.network<{ ports: HostPort[] }>(`/ports?binding:host_id=${named}&${fields}`))
  for (const line of fixedLines(ports)) console.log(line)
  return 0
}
