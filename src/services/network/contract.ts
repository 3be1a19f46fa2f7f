/** What network offers the other services. Functions that take `ctx` work in the caller's transaction. */
import type { Ctx, Env } from '#kernel/context.ts'
import type { NicSettings, NicSpec } from '../compute/drivers/driver.ts'
import * as computeApi from './compute-proxies.ts'
import type { PhysicalNetwork } from './drivers/linux/plan.ts'
import * as first from './first-contents.ts'
import * as guest from './guest-network.ts'
import * as ports from './server-ports.ts'
import * as proxies from './server-proxies.ts'
import * as view from './server-view.ts'
import { wire } from './server-wiring.ts'

/** What a server asks for: `auto`, `none`, or a list. An empty list leaves the choice: the project's one network, or no NIC when it has none. */
export type NetworkRequest =
  | 'auto'
  | 'none'
  | { network_id?: string; port_id?: string; fixed_ip?: string; tag?: string }[]

/** What a server shows of a port. */
export interface ShownPort {
  network_name: string
  mac_address: string
  fixed_ips: { ip_address: string; version: 4 | 6 }[]
  floating_ips: string[]
  security_groups: { name: string }[]
}

export interface ServerPort extends ShownPort {
  id: string
  network_id: string
  fixed_ips: { subnet_id: string; ip_address: string; version: 4 | 6 }[]
  status: string
  security_groups: { id: string; name: string }[]
  tag: string | null
}

export interface PortOwner {
  server_id: string
  /** For the port's DNS name. */
  hostname: string
  project_id: string
  availability_zone: string
}

export interface ComputeSecurityGroup {
  id: string
  name: string
  description: string
  tenant_id: string
  /** Those that let something in. */
  rules: {
    id: string
    parent_group_id: string
    ip_protocol: string | null
    from_port: number | null
    to_port: number | null
    group: { name?: string; tenant_id?: string }
    ip_range: { cidr?: string }
  }[]
}

export interface ComputeFloatingIp {
  id: string
  ip: string
  fixed_ip: string | null
  /** Name of the outside network. */
  pool: string
  /** The server that it leads to. */
  instance_id: string | null
}

/** What compute's API once had of networks, in its words and with its codes; each acts as the caller. */
interface ComputeNetworkProxies {
  /** Networks that the caller sees. */
  networksSeen(ctx: Ctx): Promise<{ id: string; name: string }[]>
  networkSeen(ctx: Ctx, id: string): Promise<{ id: string; name: string } | undefined>
  /** Networks that floating IPs come from; the default one first. */
  floatingIpPools(ctx: Ctx): Promise<{ id: string; name: string }[]>
  /** The floating IPs of the caller's project, or one by its id. */
  floatingIps(ctx: Ctx, id?: string): Promise<ComputeFloatingIp[]>
  allocateFloatingIp(ctx: Ctx, pool: string | undefined): Promise<ComputeFloatingIp>
  releaseFloatingIp(ctx: Ctx, id: string): Promise<void>
  createSecurityGroup(ctx: Ctx, group: { name: string; description: string }): Promise<ComputeSecurityGroup>
  updateSecurityGroup(ctx: Ctx, id: string, patch: { name: string; description: string }): Promise<ComputeSecurityGroup>
  deleteSecurityGroup(ctx: Ctx, id: string): Promise<void>
  createSecurityGroupRule(ctx: Ctx, rule: computeApi.ComputeRule): Promise<ComputeSecurityGroup['rules'][number]>
  deleteSecurityGroupRule(ctx: Ctx, id: string): Promise<void>
}

export interface NetworkContract {
  computeApi: ComputeNetworkProxies
  /**
   * Checks a request before anything is made: unknown or foreign networks and ports, ports in use, ambiguous choice, and for more than one server
   * whether the project may have so many ports. Throws with Nova's words and codes.
   */
  validate(ctx: Ctx, request: NetworkRequest, projectId: string, servers?: number): Promise<void>
  /**
   * Makes the ports that a server asks for (or takes over those it named): addresses are allocated, nothing is bound yet. `securityGroups` are names or ids.
   * Returns these ports, none that the server had before.
   */
  claimPorts(ctx: Ctx, owner: PortOwner, request: NetworkRequest, securityGroups: string[]): Promise<ServerPort[]>
  /** Binds a server's ports to a host and asks its agent to wire them after the commit. */
  bindPorts(ctx: Ctx, serverId: string, host: string): Promise<void>
  /** Takes a server's ports off their host. */
  unbindPorts(ctx: Ctx, serverId: string): Promise<void>
  /** Waits until the host has wired the server's bound ports, and says how the guest attaches to them. Not in a transaction. */
  wire(ctx: Ctx, serverId: string, host: string, signal: AbortSignal): Promise<NicSpec[]>
  /** Deletes the ports that compute made and frees those that a user made; says how many there were. */
  releasePorts(ctx: Ctx, serverId: string): Promise<number>
  /** Deletes or frees one port of a server. */
  releasePort(ctx: Ctx, serverId: string, portId: string): Promise<void>
  /** Ids of all servers that ports say they belong to. */
  serversWithPorts(ctx: Ctx): Promise<string[]>
  /** Ports by server id, in the order of creation; servers without any are not among them. */
  portsOf(ctx: Ctx, serverIds: string[]): Promise<Map<string, ServerPort[]>>
  /** The same, with what servers show of them: for lists. */
  shownPorts(ctx: Ctx, serverIds: string[]): Promise<Map<string, ShownPort[]>>
  /** `network_data.json` of a server. */
  networkData(ctx: Ctx, serverId: string): Promise<Record<string, unknown>>
  /** What each NIC of a server is to have, in the order of its ports. */
  nicSettings(ctx: Ctx, serverId: string): Promise<NicSettings[]>
  /** The server that has an address in a network, for metadata; undefined when none has. */
  serverAt(ctx: Ctx, networkId: string, address: string): Promise<{ server_id: string; port_id: string } | undefined>
  /** Security groups of a project, of a server's ports, or by id; in compute's old words. */
  securityGroups(
    ctx: Ctx,
    of: { project_id?: string; server_id?: string; id?: string },
  ): Promise<ComputeSecurityGroup[]>
  /** Leads an outside address to a server's address. */
  addFloatingIp(ctx: Ctx, serverId: string, address: string, fixed?: string): Promise<void>
  removeFloatingIp(ctx: Ctx, serverId: string, address: string): Promise<void>
  /** One address more on a port that the server has in the network. */
  addFixedIp(ctx: Ctx, serverId: string, networkId: string): Promise<void>
  removeFixedIp(ctx: Ctx, serverId: string, address: string): Promise<void>
  setSecurityGroup(ctx: Ctx, serverId: string, group: string, present: boolean): Promise<void>
  /** The networks of a new cloud: `public`, and for the demo project `private` with a router. Once made, running it again changes nothing. */
  bootstrap(ctx: Ctx, projects: { demo_project_id: string; admin_project_id: string }): Promise<void>
  /** The physical networks of the one machine that a cloud in one process runs on, by name. */
  physicalNetworks(env: Env): Record<string, PhysicalNetwork>
}

declare module '#kernel/context.ts' {
  interface Contracts {
    network: NetworkContract
  }
}

export const networkContract: NetworkContract = {
  computeApi,
  validate: ports.validate,
  claimPorts: ports.claimPorts,
  bindPorts: ports.bindPorts,
  unbindPorts: ports.unbindPorts,
  wire,
  releasePorts: ports.releasePorts,
  releasePort: ports.releasePort,
  serversWithPorts: view.serversWithPorts,
  portsOf: view.serverPorts,
  shownPorts: view.shownPorts,
  networkData: guest.networkData,
  nicSettings: guest.nicSettings,
  serverAt: view.serverAt,
  securityGroups: proxies.securityGroups,
  addFloatingIp: proxies.addFloatingIp,
  removeFloatingIp: proxies.removeFloatingIp,
  addFixedIp: proxies.addFixedIp,
  removeFixedIp: proxies.removeFixedIp,
  setSecurityGroup: ports.setSecurityGroup,
  bootstrap: first.bootstrap,
  physicalNetworks: first.physicalNetworks,
}
