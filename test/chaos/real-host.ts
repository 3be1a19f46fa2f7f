/** A machine that carries guests: whether what is on it is what the database says. */
import { powerStates } from '../../src/services/compute/drivers/driver.ts'
import { short } from '../../src/services/network/drivers/linux/names.ts'
import type { Carried } from '../journeys/leftovers.ts'
import type { PortSeen, Problem, ServerSeen } from '../simulation/invariants.ts'

/** Of servers at rest. */
export function hostProblems(
  here: Carried,
  { servers, ports }: { servers: ServerSeen[]; ports: PortSeen[] },
): Problem[] {
  const problems: Problem[] = []
  const wrong = (invariant: string, about: string, ...ids: string[]) => void problems.push({ invariant, about, ids })
  const onHost = new Map(servers.filter(server => server.host !== null).map(server => [server.id, server]))
  const runs = (power: number) => power === powerStates.running || power === powerStates.paused

  for (const { pid, server } of here.guests) {
    const owner = onHost.get(server)
    if (!owner) wrong('no guest without its server', `process ${pid} of ${server}`, server)
    else if (!runs(owner.power_state) && owner.vm_state !== 'error')
      wrong('a server is what its guest is', `${server} is ${owner.vm_state}, process ${pid} runs`, server)
  }
  const running = here.guests.map(({ server }) => server)
  for (const server of new Set(running))
    if (running.filter(id => id === server).length > 1) wrong('one process for one guest', server, server)
  for (const { id, power_state, vm_state } of onHost.values()) {
    if (runs(power_state) && !running.includes(id)) wrong('a server has its guest', `${id} is ${vm_state}`, id)
    if (vm_state === 'active' && power_state === powerStates.paused) wrong('no guest is held', id, id)
    if (vm_state !== 'error' && !here.folders.includes(id)) wrong('a server has its disks', `${id} is ${vm_state}`, id)
  }
  for (const folder of here.folders) {
    const id = folder.slice(0, 36)
    if (!onHost.has(id)) wrong('no folder without its server', folder, id)
  }

  const bound = ports.filter(port => port.device_owner.startsWith('compute:') && onHost.has(port.device_id))
  const names = new Set(bound.map(port => `tap${short(port.id)}`))
  for (const tap of here.taps) if (!names.has(tap)) wrong('no device without its port', tap)
  for (const tap of here.filtered) if (!names.has(tap)) wrong('no rule without its port', tap)
  for (const { id, device_id } of bound) {
    const tap = `tap${short(id)}`
    if (running.includes(device_id) && !here.taps.includes(tap))
      wrong('a running guest has its devices', tap, device_id, id)
    if (here.taps.includes(tap) && !here.filtered.includes(tap))
      wrong('no device without its rules', tap, device_id, id)
  }
  return problems
}
