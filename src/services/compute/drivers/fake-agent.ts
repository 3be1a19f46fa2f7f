/** The agents in fake guests: what they were told, and what a guest without one cannot do. */
import { GuestError, isTrue, type NicSettings, powerStates } from './driver.ts'
import type { FakeGuest } from './fake.ts'

/** As hosts do for a snapshot: what runs is frozen where its image promises an agent, and must be where the image says so. */
export function quiesce(guest: FakeGuest): void {
  if (guest.power_state !== powerStates.running) return
  const { hw_qemu_guest_agent, os_require_quiesce } = propertiesOf(guest)
  if (isTrue(hw_qemu_guest_agent)) guest.agent = [...(guest.agent ?? []), 'freeze', 'thaw']
  else if (isTrue(os_require_quiesce)) throw new GuestError('QEMU guest agent is not enabled')
}

/** The addresses that its NICs have from then on. */
export function resetNetwork(guest: FakeGuest, nics: NicSettings[]): void {
  if (!hasAgent(guest)) throw new GuestError('Guest agent is not enabled for the instance')
  guest.agent = [
    ...(guest.agent ?? []),
    ...nics.map(({ mac, addresses }) =>
      ['network', mac, ...addresses.map(({ address, prefix }) => `${address}/${prefix}`)].join(' '),
    ),
  ]
}

/** How full the guest's root is: a mebibyte for each thing that is on it. */
export function filesystems(guest: FakeGuest) {
  const root = guest.disks.root
  if (!root || !hasAgent(guest)) return []
  const used_bytes = root.contents.length * 1024 ** 2
  return [{ mountpoint: '/', type: 'ext4', used_bytes, total_bytes: root.size_gb * 1024 ** 3 }]
}

/** Whether the guest's image promises one. */
export const hasAgent = (guest: FakeGuest) => isTrue(propertiesOf(guest).hw_qemu_guest_agent)

export function propertiesOf({ spec }: FakeGuest): Record<string, string> {
  const source = spec.disks.find(disk => disk.boot_index === 0)?.source
  return source?.type === 'image' ? source.image.properties : {}
}
