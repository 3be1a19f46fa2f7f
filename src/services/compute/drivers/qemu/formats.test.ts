/** Guests of images that are neither raw nor qcow2: converted by the host, or in a CD-ROM drive. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DiskSpec, ImageSpec } from '../driver.ts'
import { bootSector, imageOf, memoryImages } from './test-guest.ts'
import { booted, type Host, openHost, skip } from './test-host.ts'

function program(name: string, args: string[], cwd: string): void {
  execFileSync(name, args, { cwd, stdio: 'ignore' })
}

describe('QEMU driver with images of other formats', { skip: skip ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-formats-'))
  const stored = new Map<string, Buffer>()
  let host: Host
  before(async () => {
    writeFileSync(join(folder, 'boot.raw'), bootSector())
    program('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', 'boot.raw', 'boot.vmdk'], folder)
    writeFileSync(join(folder, 'boot.sector'), bootSector().subarray(0, 2048))
    const boot = ['-b', 'boot.sector', '-no-emul-boot', '-boot-load-size', '4']
    program('genisoimage', ['-o', 'boot.iso', ...boot, '-x', 'boot.iso', '.'], folder)
    for (const name of ['boot.vmdk', 'boot.iso']) stored.set(name, readFileSync(join(folder, name)))
    host = await openHost({ images: memoryImages(stored) })
  })
  after(async () => {
    await host.close()
    rmSync(folder, { recursive: true })
  })

  async function boots(name: string, image: Partial<ImageSpec>, disk: Partial<DiskSpec> = {}): Promise<void> {
    const source = { type: 'image' as const, image: imageOf(name, stored.get(name)!, image) }
    const spec = await booted(host, { disks: [{ id: 'root', source, size_gb: 1, boot_index: 0, ...disk }] })
    await host.driver.destroy(spec.id)
  }

  it('boots a VMDK', () => boots('boot.vmdk', { disk_format: 'qcow2', stored_as: 'vmdk' }))

  it('boots an optical image in a drive', () => boots('boot.iso', {}, { size_gb: 0, cdrom: true }))
})
