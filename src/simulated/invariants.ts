/** What must hold in a whole simulated cloud: at any moment by looking at its database alone; and at rest, when database and hosts must agree. */
import { powerStates } from '../services/compute/drivers/driver.ts'
import type { FakeGuest } from '../services/compute/drivers/fake.ts'
import { isGuestKey } from '../services/compute/drivers/fake-moves.ts'

export interface Problem {
  invariant: string
  /** What is wrong with which thing. */
  about: string
  /** Ids that the timeline is searched for. */
  ids: string[]
}

/** Each finds rows that must not be: their first column is an id. */
export const always: Record<string, string> = {
  'what placement says is used is the sum of its allocations': `
    select i.provider, i.resource_class, i.used from placement_inventories i where i.used <> coalesce(
      (select sum(a.used) from placement_allocations a where a.provider = i.provider and a.resource_class = i.resource_class), 0)`,
  'no provider is overcommitted': `
    select provider, resource_class, used, capacity from placement_inventories where used > capacity and used > 0`,
  'allocations are those of servers, moves and links': `
    select distinct consumer from placement_allocations where consumer not in (select id from compute_servers)
      and consumer not in (select uuid from compute_migrations) and consumer not in (select id from compute_links)`,
  'links end where their servers have room': `
    select distinct link_id, consumer, host from compute_link_ends e where link_id not in (select id from compute_links) or not exists (
      select 1 from placement_allocations a join compute_hosts h on h.provider_uuid = a.provider
      where a.consumer = e.consumer and h.name = e.host)`,
  'a server on a host has its room there': `
    select id, host, vm_state, task_state from compute_servers s where host is not null and not exists (
      select 1 from placement_allocations a join compute_hosts h on h.provider_uuid = a.provider
      where h.name = s.host and (a.consumer = s.id or a.consumer in (select uuid from compute_migrations where server_id = s.id)))`,
  'a server without a host has no room anywhere': `
    select id, vm_state, task_state from compute_servers s where host is null and task_state is null and exists (
      select 1 from placement_allocations a where a.consumer = s.id)`,
  'cells, CPUs and devices are those of servers and moves that have amounts': `
    select consumer from (select consumer from compute_guest_cells union select consumer from compute_pinned_cpus
      union select consumer from compute_claimed_devices) held where consumer not in (select consumer from placement_allocations)`,
  'who is busy has a saga that is not done': `
    select id, vm_state, task_state from compute_servers s where (task_state is not null or vm_state = 'building')
      and not exists (select 1 from kernel_sagas k where k.subject in (s.id, s.reservation_id) and k.state in ('running', 'unwinding'))`,
  'ports of servers are those of servers that are there': `
    select id, device_id from network_ports where device_owner like 'compute:%' and device_id not in (select id from compute_servers)`,
  'each server has its mapping and its request': `
    select id from compute_servers where id not in (select server_id from compute_server_mappings)
      or id not in (select server_id from compute_request_specs)`,
  'a server has a cell once it has a host, and a build request until it has a cell': `
    select m.server_id, m.cell, s.host from compute_server_mappings m join compute_servers s on s.id = m.server_id
      where (m.cell is null and s.host is not null)
      or (m.cell is null) <> (m.server_id in (select server_id from compute_build_requests))`,
  'what belongs to a server goes with it': `
    select server_id from (select server_id from compute_server_mappings union select server_id from compute_request_specs
      union select server_id from compute_build_requests
      union select server_id from compute_server_guest_data union select server_id from compute_server_tags
      union select server_id from compute_server_group_members union select server_id from compute_server_software
      union select server_id from compute_server_packages union select server_id from compute_guest_works
      union select server_id from compute_guest_agents union select server_a from compute_links
      union select server_b from compute_links) belongings where server_id not in (select id from compute_servers)`,
  'a floating IP leads to a port that is there': `
    select id from network_floating_ips where fixed_port_id is not null and fixed_port_id not in (select id from network_ports)`,
  'ports of floating IPs and routers are those of some that are there': `
    select id, device_owner, device_id from network_ports p where
      (device_owner = 'network:floatingip' and not exists (select 1 from network_floating_ips f where f.floating_port_id = p.id))
      or (device_owner like 'network:router%' and not exists (select 1 from network_routers r where r.id = p.device_id))`,
  'an image is active only with its bytes': `
    select id from image_images where status = 'active' and (blob is null or size is null or os_hash_value is null)`,
  'what an image holds only the changes to has its bytes': `
    select id, base_image_id from image_images where base_image_id is not null and base_image_id not in (
      select id from image_images where status in ('active', 'deactivated'))`,
}

/** The same, once all work has ended. */
export const atRest: Record<string, string> = {
  'all work ends': `select subject, saga, state, id from kernel_sagas where state in ('running', 'unwinding')`,
  'nobody is busy': `select id, vm_state, task_state from compute_servers where task_state is not null or vm_state = 'building'`,
  'a server at rest has its room in its own name': `
    select id, host, vm_state from compute_servers s where host is not null and not exists (
      select 1 from placement_allocations a join compute_hosts h on h.provider_uuid = a.provider
      where a.consumer = s.id and h.name = s.host)`,
  'only a resize that waits for its owner holds room twice': `
    select m.uuid, m.server_id, m.status, s.vm_state from compute_migrations m left join compute_servers s on s.id = m.server_id
      where m.uuid in (select consumer from placement_allocations) and coalesce(s.vm_state, '') <> 'resized'`,
  'links end where their servers are': `
    select l.id, s.id server_id, s.host from compute_links l join compute_servers s on s.id in (l.server_a, l.server_b)
      where s.host is not null and not exists (
        select 1 from compute_link_ends e where e.link_id = l.id and e.consumer = s.id and e.host = s.host)`,
  'links between hosts have their bandwidth': `
    select l.id, a.host, b.host other_host from compute_links l
      join compute_link_ends a on a.link_id = l.id and a.consumer = l.server_a
      join compute_link_ends b on b.link_id = l.id and b.consumer = l.server_b
      where l.bandwidth > 0 and a.host <> b.host and 1 >= (
        select count(*) from placement_allocations where consumer = l.id and used = l.bandwidth)`,
  // What waits for an agent that is silent is asked for again later.
  'software in guests is seen to': `
    select w.server_id, w.status, s.vm_state from compute_server_software w join compute_servers s on s.id = w.server_id
      where w.status = 'running' or (w.status = 'waiting' and w.silences = 0 and s.vm_state = 'active')`,
  'works in guests are done': `
    select w.server_id, w.work, w.status, s.vm_state from compute_guest_works w join compute_servers s on s.id = w.server_id
      where w.status = 'running' or (w.silences = 0 and s.vm_state = 'active')`,
  'imports of images end': `select id, image_id, status from image_tasks where status in ('pending', 'processing')`,
  'no guest waits to be cleaned up': 'select server_id, host from compute_host_cleanups',
  // What was staged and is not being written waits for its import.
  'no upload goes on': `
    select id, status from image_images
      where status in ('saving', 'importing') or (status = 'uploading' and alive_at is not null)`,
  'ports of a server are where it is': `
    select p.id, p.device_id, p.binding_host_id, s.host, s.vm_state from network_ports p join compute_servers s on s.id = p.device_id
      where p.binding_host_id <> coalesce(s.host, '')`,
  'ports of a server on a host are wired': `
    select p.id, p.device_id, p.status, s.vm_state from network_ports p join compute_servers s on s.id = p.device_id
      where s.host is not null and s.vm_state <> 'error' and p.admin_state_up = 1 and p.status <> 'ACTIVE'`,
  'an error says why': `
    select id from compute_servers s where vm_state = 'error' and fault is null
      and not exists (select 1 from kernel_sagas k where k.subject = s.id and k.saga = 'compute.servers.resetState')`,
}

/** A row that must not be. */
export const problemOf = (invariant: string, row: Record<string, unknown>): Problem => ({
  invariant,
  about: JSON.stringify(row),
  ids: Object.values(row).filter((value): value is string => typeof value === 'string' && value.length >= 32),
})

export interface ServerSeen {
  id: string
  host: string | null
  vm_state: string
  power_state: number
}

export interface PortSeen {
  id: string
  device_id: string
  binding_host_id: string
  device_owner: string
}

export const serversSeen = 'select id, host, vm_state, power_state from compute_servers'
export const portsSeen = 'select id, device_id, binding_host_id, device_owner from network_ports order by id'

const expected: Record<string, number> = {
  active: powerStates.running,
  paused: powerStates.paused,
  suspended: powerStates.suspended,
}

/** A host with fake drivers as it is. */
export interface HostSeen {
  name: string
  guests: ReadonlyMap<string, FakeGuest>
  /** Ports that its networks carry; unknown when left out. */
  carried?: string[]
}

/** Of a host and the database. */
export function agreement(all: { servers: ServerSeen[]; ports: PortSeen[] }, host: HostSeen): Problem[] {
  const servers = all.servers.filter(server => server.host === host.name)
  const byId = new Map(servers.map(server => [server.id, server]))
  const ports = all.ports.filter(port => port.binding_host_id === host.name && port.device_owner.startsWith('compute:'))
  const resized = new Set(all.servers.filter(server => server.vm_state === 'resized').map(server => server.id))
  // A port that its owner deletes under a running guest stays in the guest until it starts anew.
  const there = new Set(all.ports.map(port => port.id))
  const problems: Problem[] = []
  const wrong = (invariant: string, about: string, ...ids: string[]) => void problems.push({ invariant, about, ids })
  for (const [key, guest] of host.guests) {
    if (guest.kept) continue
    const server = byId.get(guest.spec.id)
    if (!isGuestKey(key)) {
      // On its own host it goes with the guest, when the message that it may go was lost.
      if (!resized.has(guest.spec.id) && !byId.has(guest.spec.id))
        wrong('a guest is aside only for a resize', `${key} on ${host.name}`, guest.spec.id)
    } else if (!server) wrong('no guest without its server', `${key} on ${host.name}`, key)
    else {
      const wanted = expected[server.vm_state]
      // A guest that its hypervisor holds is not one that its owner paused: such a server stays active.
      const held = server.vm_state === 'active' && guest.power_state === powerStates.paused
      const differs = wanted !== undefined && guest.power_state !== wanted && !held
      if (differs || server.power_state !== guest.power_state)
        wrong('a server is what its guest is', `${key}: ${server.vm_state}, guest ${guest.power_state}`, key)
      const own = ports.filter(port => port.device_id === key).map(port => port.id)
      const nics = guest.nics
        .map(nic => nic.port_id)
        .filter(id => there.has(id))
        .sort()
      // One that is off gets its ports when it starts.
      if (['active', 'paused'].includes(server.vm_state) && own.join() !== nics.join())
        wrong('a guest has the ports of its server', `${key}: ports ${own}, guest ${nics}`, key)
    }
  }
  for (const { id, vm_state } of servers)
    if (!host.guests.has(id) && vm_state !== 'error') wrong('a server has its guest', `${id} is ${vm_state}`, id)
  if (!host.carried) return problems
  const carried = host.carried.sort().join()
  const bound = ports.map(port => port.id).join()
  if (carried !== bound)
    wrong('a host carries the ports of its guests', `${host.name}: ${bound} bound, ${carried} carried`, bound, carried)
  return problems
}
