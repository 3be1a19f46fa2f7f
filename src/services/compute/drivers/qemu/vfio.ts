/** Takes PCI devices from the host's drivers, so that guests can have them. They stay with vfio-pci, which resets them between guests. */
import { chown, readlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { GuestError } from '../driver.ts'
import type { QemuUser } from './host.ts'

const address = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]$/

export interface VfioFolders {
  sys: string
  dev: string
}

const folders: VfioFolders = { sys: '/sys', dev: '/dev' }

/** A device that is QEMU's already stays as it is. */
export async function takeDevice(
  device: string,
  user: QemuUser | undefined,
  { sys, dev }: VfioFolders = folders,
): Promise<void> {
  if (!address.test(device)) throw new GuestError(`The PCI address ${JSON.stringify(device)} is not usable.`)
  const dir = join(sys, 'bus/pci/devices', device)
  const driver = () => nameOf(join(dir, 'driver'))
  try {
    if ((await driver()) !== 'vfio-pci') {
      await writeFile(join(dir, 'driver_override'), 'vfio-pci')
      if ((await driver()) !== undefined) await writeFile(join(dir, 'driver/unbind'), device)
      await writeFile(join(sys, 'bus/pci/drivers_probe'), device)
    }
    const group = await nameOf(join(dir, 'iommu_group'))
    if ((await driver()) !== 'vfio-pci' || group === undefined) throw new Error('vfio-pci does not have it')
    if (user) await chown(join(dev, 'vfio', group), user.uid, user.gid)
  } catch (cause) {
    const message = `The device ${device} cannot be given to guests: load vfio-pci, and enable the IOMMU of this host.`
    throw new GuestError(message, { cause, retryElsewhere: true })
  }
}

const nameOf = (link: string) =>
  readlink(link).then(
    target => basename(target),
    () => undefined,
  )
