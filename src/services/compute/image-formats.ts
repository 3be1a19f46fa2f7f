/** What hosts make of the formats of images. */
import type { ImageSpec } from './drivers/driver.ts'

/** Kernels and ramdisks have formats of their own names, and so have optical images; their bytes are taken as they are. */
const asTheyAre = ['raw', 'gpt', 'iso', 'ami', 'aki', 'ari']

/** Formats that hosts convert, with QEMU's names for them. */
const converted: Record<string, string> = { vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc', vhdx: 'vhdx' }

/** Undefined for what no guest boots from. */
export function bootFormat(disk_format: string | null): Pick<ImageSpec, 'disk_format' | 'stored_as'> | undefined {
  if (disk_format === null) return undefined
  if (disk_format === 'qcow2') return { disk_format }
  if (asTheyAre.includes(disk_format)) return { disk_format: 'raw' }
  return disk_format in converted ? { disk_format: 'qcow2', stored_as: converted[disk_format]! } : undefined
}
