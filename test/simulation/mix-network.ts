/** What clients do with networks, identities and hosts. */
import type { Account, Kind, Request } from './clients.ts'
import type { Act, Scene } from './mix-servers.ts'

const network = '/network/v2.0'
const identity = '/identity/v3'

const made = (collection: string, kind: Kind, values: Record<string, unknown>): Request => ({
  method: 'POST',
  path: `${network}/${collection}`,
  body: { [kind]: values },
  makes: kind,
})

const gone = (collection: string, kind: Kind, id: string): Request => ({
  method: 'DELETE',
  path: `${network}/${collection}/${id}`,
  removes: [kind, id],
})

const changed = (path: string, body: unknown): Request => ({ method: 'PUT', path: `${network}/${path}`, body })

/** Mostly makes one while there are few, and deletes one when there are many. */
function comeAndGo(
  collection: string,
  kind: Kind,
  few: number,
  make: (world: Scene, account: Account) => Request | undefined,
): Act {
  return (world, account) => {
    const { dice } = world
    const known = account.known[kind]
    const id = dice.pick(known)
    if (id && dice.chance(known.length / (2 * few))) return gone(collection, kind, id)
    return make(world, account)
  }
}

const networks = comeAndGo('networks', 'network', 3, ({ dice }) =>
  made('networks', 'network', { name: `net-${dice.between(1, 9)}` }),
)

const subnets = comeAndGo('subnets', 'subnet', 4, ({ dice }, { known }) => {
  const id = dice.pick(known.network)
  if (!id) return undefined
  return made('subnets', 'subnet', { network_id: id, ip_version: 4, cidr: `10.${dice.between(1, 9)}.0.0/28` })
})

const ports = comeAndGo('ports', 'port', 5, (world, { known }) => {
  const { dice, first } = world
  const id = dice.pick([first.network, ...known.network])
  if (dice.chance(0.2)) {
    const port = dice.pick(known.port)
    if (port) return changed(`ports/${port}`, { port: { admin_state_up: dice.chance(0.5) } })
  }
  return made('ports', 'port', { network_id: id, name: 'p' })
})

/** A port of one of its servers, or one that it made itself. */
function anyPort({ dice, portOf }: Scene, { known }: Account): string | undefined {
  const server = dice.pick(known.server)
  return (server && dice.chance(0.6) ? portOf(server) : undefined) ?? dice.pick(known.port)
}

const portChanges: Record<string, (world: Scene, account: Account) => object> = {
  pairs: ({ dice }) => ({ allowed_address_pairs: [{ ip_address: `10.200.0.${dice.between(1, 9)}` }] }),
  noPairs: () => ({ allowed_address_pairs: [] }),
  switch: ({ dice }) => ({ admin_state_up: dice.chance(0.7) }),
  groups: ({ dice }, { known }) => ({ security_groups: known.security_group.filter(() => dice.chance(0.4)) }),
  open: () => ({ port_security_enabled: false, security_groups: [], allowed_address_pairs: [] }),
  close: () => ({ port_security_enabled: true }),
  address: ({ dice }, { known }) => ({
    fixed_ips: known.subnet.filter(() => dice.chance(0.5)).map(subnet_id => ({ subnet_id })),
  }),
  dhcp: ({ dice }) => ({ extra_dhcp_opts: [{ opt_name: 'mtu', opt_value: String(dice.between(1300, 1400)) }] }),
}

const changes: Act = (world, account) => {
  const { dice } = world
  const { known } = account
  const [port, id, subnet] = [anyPort(world, account), dice.pick(known.network), dice.pick(known.subnet)]
  if (id && dice.chance(0.1)) {
    const patch = dice.pick([{ admin_state_up: dice.chance(0.7) }, { mtu: dice.between(1280, 1400) }])
    return changed(`networks/${id}`, { network: patch })
  }
  if (subnet && dice.chance(0.2)) {
    const resolvers = [`192.0.2.${dice.between(1, 9)}`]
    const patch = dice.pick([{ enable_dhcp: dice.chance(0.6) }, { dns_nameservers: resolvers }, { gateway_ip: null }])
    return changed(`subnets/${subnet}`, { subnet: patch })
  }
  if (!port) return undefined
  const change = portChanges[dice.pick(Object.keys(portChanges))!]!
  return changed(`ports/${port}`, { port: change(world, account) })
}

const routers = comeAndGo('routers', 'router', 2, ({ dice, first }, { known }) => {
  const id = dice.pick(known.router)
  const subnet = dice.pick(known.subnet)
  if (id && subnet && dice.chance(0.6)) {
    const verb = dice.chance(0.6) ? 'add_router_interface' : 'remove_router_interface'
    return changed(`routers/${id}/${verb}`, { subnet_id: subnet })
  }
  if (id && dice.chance(0.2)) {
    const routes = dice.chance(0.5) ? [{ destination: '10.99.0.0/24', nexthop: `10.${dice.between(1, 9)}.0.5` }] : []
    return changed(`routers/${id}`, { router: dice.pick([{ admin_state_up: dice.chance(0.6) }, { routes }]) })
  }
  if (id && dice.chance(0.4)) {
    const gateway = dice.chance(0.7) ? { network_id: first.outside } : {}
    return changed(`routers/${id}`, { router: { external_gateway_info: gateway } })
  }
  return made('routers', 'router', { name: 'r', external_gateway_info: { network_id: first.outside } })
})

const floatingIps = comeAndGo('floatingips', 'floatingip', 3, (world, account) => {
  const { dice, first } = world
  const id = dice.pick(account.known.floatingip)
  const port = anyPort(world, account)
  if (id && dice.chance(0.6)) {
    return changed(`floatingips/${id}`, { floatingip: { port_id: port && dice.chance(0.7) ? port : null } })
  }
  return made('floatingips', 'floatingip', { floating_network_id: first.outside })
})

const securityGroups = comeAndGo('security-groups', 'security_group', 3, ({ dice }, { known }) => {
  const id = dice.pick(known.security_group)
  const port = dice.pick(known.port)
  if (id && port && dice.chance(0.4)) return changed(`ports/${port}`, { port: { security_groups: [id] } })
  return made('security-groups', 'security_group', { name: `sg-${dice.between(1, 9)}` })
})

const rules = comeAndGo('security-group-rules', 'security_group_rule', 4, ({ dice }, { known }) => {
  const id = dice.pick(known.security_group)
  if (!id) return undefined
  const port = dice.between(1, 5)
  const remote_group_id = dice.pick(known.security_group)
  if (dice.chance(0.4))
    return made('security-group-rules', 'security_group_rule', {
      ...{ security_group_id: id, direction: 'ingress', remote_group_id },
    })
  return made('security-group-rules', 'security_group_rule', {
    security_group_id: id,
    direction: 'ingress',
    protocol: 'tcp',
    port_range_min: port,
    port_range_max: port + dice.between(0, 3),
  })
})

const shown: Act = ({ dice }, { known }) => {
  const collections = ['networks', 'subnets', 'ports', 'routers', 'floatingips', 'security-groups'] as const
  const port = dice.pick(known.port)
  if (port && dice.chance(0.3)) return { method: 'GET', path: `${network}/ports/${port}` }
  return { method: 'GET', path: `${network}/${dice.pick(collections)}` }
}

/** A new token, as clients ask for one; the old one ends at times. */
export function login(account: Account): Request {
  const user = { name: account.name, domain: { id: 'default' }, password: account.password }
  const scope = { project: { name: account.name, domain: { id: 'default' } } }
  return {
    method: 'POST',
    path: `${identity}/auth/tokens?nocatalog`,
    body: { auth: { identity: { methods: ['password'], password: { user } }, scope } },
    heard({ status, headers }) {
      if (status === 201) account.token = String(headers['x-subject-token'])
    },
  }
}

const tokens: Act = (_world, account) => login(account)

const projects: Act = ({ dice }, account) => {
  if (account.name !== 'admin') return undefined
  const { known } = account
  const id = dice.pick(known.project)
  if (id && dice.chance(0.4)) return { method: 'DELETE', path: `${identity}/projects/${id}`, removes: ['project', id] }
  const body = { project: { name: `project-${dice.between(1, 9)}`, domain_id: 'default' } }
  return { method: 'POST', path: `${identity}/projects`, body, makes: 'project' }
}

const users: Act = ({ dice }, account) => {
  if (account.name !== 'admin') return undefined
  const id = dice.pick(account.known.user)
  if (id && dice.chance(0.4)) return { method: 'DELETE', path: `${identity}/users/${id}`, removes: ['user', id] }
  const body = { user: { name: `user-${dice.between(1, 9)}`, password: 'a-password' } }
  return { method: 'POST', path: `${identity}/users`, body, makes: 'user' }
}

const hosts: Act = ({ dice, hosts: all }, account) => {
  const { name } = dice.pick(all)!
  if (account.name !== 'admin') return undefined
  return {
    method: 'PUT',
    path: `/compute/v2.1/os-services/${dice.chance(0.6) ? 'enable' : 'disable'}`,
    body: { host: name, binary: 'nova-compute' },
    headers: { 'openstack-api-version': 'compute 2.1' },
  }
}

const looks: Act = ({ dice }, account) => ({
  method: 'GET',
  path: dice.pick([
    ...['/compute/v2.1/limits', '/compute/v2.1/flavors/detail', '/image/v2/images', '/identity/v3/auth/projects'],
    ...(account.name === 'admin' ? ['/compute/v2.1/os-hypervisors/detail', '/placement/resource_providers'] : []),
  ])!,
})

export const otherActs: Record<string, [number, Act]> = {
  networks: [2, networks],
  subnets: [3, subnets],
  ports: [5, ports],
  changes: [6, changes],
  routers: [4, routers],
  floatingIps: [4, floatingIps],
  securityGroups: [3, securityGroups],
  rules: [2, rules],
  shown: [3, shown],
  tokens: [1, tokens],
  projects: [2, projects],
  users: [2, users],
  hosts: [2, hosts],
  looks: [2, looks],
}
