/** A driver that fills one host after the other, in the order of their names. It is given the hosts that passed the filters. */

export function choose(_request, hosts, { keep }) {
  const names = hosts.map(host => host.host).sort()
  return { hosts: names.slice(0, keep) }
}
