/** Devices are taken from the host's drivers by the kernel's files; a fixture tree stands for them. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { takeDevice } from './vfio.ts'

const address = '0000:81:00.0'

async function machine(driver: string) {
  const root = await mkdtemp(join(tmpdir(), 'nephos-vfio-'))
  const [sys, dev] = [join(root, 'sys'), join(root, 'dev')]
  const dir = join(sys, 'bus/pci/devices', address)
  await mkdir(join(sys, 'bus/pci/drivers', driver), { recursive: true })
  await mkdir(join(sys, 'kernel/iommu_groups/17'), { recursive: true })
  await mkdir(join(dev, 'vfio'), { recursive: true })
  await mkdir(dir, { recursive: true })
  await writeFile(join(dev, 'vfio/17'), '')
  await symlink(join(sys, 'bus/pci/drivers', driver), join(dir, 'driver'))
  await symlink(join(sys, 'kernel/iommu_groups/17'), join(dir, 'iommu_group'))
  const read = (path: string) => readFile(join(sys, path), 'utf8').catch(() => undefined)
  return { sys, dev, read, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) }
}

test('a device of another driver is asked for, and a kernel that keeps it is told of', async () => {
  await using kernel = await machine('ixgbe')
  await assert.rejects(takeDevice(address, undefined, kernel), /load vfio-pci, and enable the IOMMU/)
  assert.equal(await kernel.read(`bus/pci/devices/${address}/driver_override`), 'vfio-pci')
  assert.equal(await kernel.read('bus/pci/drivers/ixgbe/unbind'), address)
  assert.equal(await kernel.read('bus/pci/drivers_probe'), address)
})

test('a device that is free for guests is left as it is', async () => {
  await using kernel = await machine('vfio-pci')
  await takeDevice(address, undefined, kernel)
  assert.equal(await kernel.read(`bus/pci/devices/${address}/driver_override`), undefined)
})

test('what is no address of a device is no path either', () =>
  assert.rejects(takeDevice('../../etc', undefined), /is not usable/))
