/** Plugs NICs into a running guest and pulls them out. */
import type { NicSpec } from '../driver.ts'
import { GuestError } from '../driver.ts'
import { freePort, type Machine, netdev, netdevOptions, nicDevice, nicOptions } from './command-line.ts'
import type { QemuHost } from './host.ts'
import { checkNic } from './record.ts'
import type { Session } from './session.ts'

/** A guest's system takes the device out when it gets to it; firmware, and a system that hangs, never do. */
const detachSeconds = 10

/** Gives the NIC its place in the machine. To be recorded before it is plugged, so that a retry finds the same place. */
export function placeNic(machine: Machine, nic: NicSpec) {
  checkNic(nic)
  const others = machine.spec.nics.filter(each => each.port_id !== nic.port_id)
  const bound = others.find(each => each.tap)
  if (nic.tap && bound && bound.tap?.netns !== nic.tap.netns) {
    throw new GuestError('The tap is in another network namespace than the guest.')
  }
  machine.ports[nicDevice(nic.port_id)] ??= freePort(machine)
  machine.spec.nics = [...others, nic]
}

/** Takes the NIC out of the machine; its place is free again. */
export function forgetNic(machine: Machine, portId: string) {
  delete machine.ports[nicDevice(portId)]
  machine.spec.nics = machine.spec.nics.filter(each => each.port_id !== portId)
}

export async function plugNic(machine: Machine, session: Session, nic: NicSpec): Promise<void> {
  const device = nicDevice(nic.port_id)
  if ((await pluggedDevices(session)).has(device)) return
  const port = machine.ports[device] ?? freePort(machine)
  // Left by a call that was cut off between the two halves.
  await session.execute('netdev_del', { id: netdev(nic.port_id) }).catch(() => {})
  await session.execute('netdev_add', netdevOptions(nic, port))
  try {
    await session.execute('device_add', nicOptions(nic, machine.vif_model, port))
  } catch (error) {
    await session.execute('netdev_del', { id: netdev(nic.port_id) })
    throw error
  }
  if (!nic.tap) await session.execute('set_link', { name: device, up: false })
}

/**
 * Asks the guest to let go of the NIC; true when it did. When it does not, the NIC is cut off: no frame passes from then on, and the dead
 * device goes with the next boot. Either way the tap is free.
 */
export async function unplugNic(
  host: QemuHost,
  session: Session,
  portId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const device = nicDevice(portId)
  const isPlugged = async () => (await pluggedDevices(session)).has(device)
  if (await isPlugged()) {
    await session.execute('device_del', { id: device }).catch(error => {
      // Refused while an earlier request is open with the guest; waiting is all that is left then.
      host.log.debug({ err: error, device }, 'device_del was refused')
    })
    const start = host.clock.monotonic()
    while ((await isPlugged()) && host.clock.monotonic() - start < detachSeconds * 1000)
      await host.clock.sleep(50, signal)
  }
  const released = !(await isPlugged())
  if (!released) await session.execute('set_link', { name: device, up: false })
  await session.execute('netdev_del', { id: netdev(portId) }).catch(() => {})
  return released
}

/** Drops from the machine the NICs that the guest released late: a resumed machine must have just the devices it was suspended with. */
export async function dropReleasedNics(machine: Machine, session: Session): Promise<void> {
  const plugged = await pluggedDevices(session)
  for (const nic of [...machine.spec.nics]) if (!plugged.has(nicDevice(nic.port_id))) forgetNic(machine, nic.port_id)
}

async function pluggedDevices(session: Session): Promise<Set<string>> {
  const all = await session.execute<{ name: string }[]>('qom-list', { path: '/machine/peripheral' })
  return new Set(all.map(each => each.name))
}
