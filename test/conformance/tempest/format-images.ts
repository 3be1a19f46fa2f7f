/** Disks of many formats, some of which no cloud should open, with a list of them as Tempest reads it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Disk {
  name: string
  format: string
  /** Whether a server can be made of it. */
  usable: boolean
}

const create = (folder: string, format: string, file: string, ...options: string[]) =>
  execFileSync('qemu-img', ['create', '-q', '-f', format, ...options, file, '10M'], { cwd: folder })

/** By QEMU's name of the format. */
const good: [name: string, format: string, qemu: string, ...options: string[]][] = [
  ['qcow2', 'qcow2', 'qcow2'],
  ['raw', 'raw', 'raw'],
  ['vmdk-sparse', 'vmdk', 'vmdk', '-o', 'subformat=monolithicSparse'],
  ['vmdk-stream', 'vmdk', 'vmdk', '-o', 'subformat=streamOptimized'],
  ['vdi', 'vdi', 'vdi'],
  ['vhd', 'vhd', 'vpc'],
  ['vhdx', 'vhdx', 'vhdx'],
]

const bad: typeof good = [
  ['qcow2-with-base', 'qcow2', 'qcow2', '-F', 'raw', '-b', '/etc/hosts'],
  ['qcow2-with-data-file', 'qcow2', 'qcow2', '-o', 'data_file=data,data_file_raw=on'],
  ['vmdk-flat', 'vmdk', 'vmdk', '-o', 'subformat=monolithicFlat'],
  ['qed', 'qed', 'qed'],
]

function optical(): Buffer {
  const bytes = Buffer.alloc(64 * 2048)
  bytes.write('\x01CD001\x01', 16 * 2048, 'latin1')
  bytes.write('\xffCD001\x01', 17 * 2048, 'latin1')
  return bytes
}

function partitioned(): Buffer {
  const bytes = Buffer.alloc(1024 * 1024)
  bytes.writeUInt8(0xee, 450)
  bytes.writeUInt16BE(0x55aa, 510)
  bytes.write('EFI PART', 512)
  return bytes
}

/** The header says that the one at the end counts. */
function withFooter(sparse: Buffer): Buffer {
  const [head, end] = [Buffer.from(sparse), Buffer.alloc(3 * 512)]
  head.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 56)
  end.writeUInt32LE(3, 12)
  sparse.copy(end, 512, 0, 512)
  return Buffer.concat([head, end])
}

/** The descriptor within names a file of the host. */
function withForeignExtent(sparse: Buffer): Buffer {
  const at = sparse.indexOf('SPARSE "') + 8
  const bytes = Buffer.from(sparse)
  bytes.write('/etc/hosts"\n'.padEnd(bytes.indexOf('\n', at) - at + 1, ' '), at)
  return bytes
}

/** Makes them in a folder; returns the path of the list. */
export function makeFormatImages(folder: string): string {
  mkdirSync(folder, { recursive: true })
  const disks: Disk[] = []
  const note = (name: string, format: string, usable: boolean) => {
    disks.push({ name, format, usable })
    return `${name}.${format}`
  }
  for (const [usable, list] of [[true, good] as const, [false, bad] as const])
    for (const [name, format, qemu, ...options] of list) create(folder, qemu, note(name, format, usable), ...options)
  for (const beside of ['data', 'vmdk-flat-flat.vmdk']) rmSync(join(folder, beside))
  const sparse = readFileSync(join(folder, 'vmdk-sparse.vmdk'))
  const disguised = optical()
  readFileSync(join(folder, 'qcow2.qcow2')).copy(disguised, 0, 0, 32_768)
  const made: [name: string, format: string, usable: boolean, bytes: Buffer][] = [
    ['iso', 'iso', true, optical()],
    ['iso-that-begins-as-qcow2', 'iso', false, disguised],
    ['gpt', 'gpt', true, partitioned()],
    ['vmdk-with-footer', 'vmdk', true, withFooter(sparse)],
    ['vmdk-with-foreign-extent', 'vmdk', false, withForeignExtent(sparse)],
  ]
  for (const [name, format, usable, bytes] of made) writeFileSync(join(folder, note(name, format, usable)), bytes)
  const path = join(folder, 'manifest.yaml')
  const images = disks.map(disk => ({ ...disk, filename: `${disk.name}.${disk.format}` }))
  writeFileSync(path, JSON.stringify({ images }))
  return path
}
