/** Makes the guest's file systems and disks from file trees, with nothing mounted and without root. */
import { copyFile, open, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunOptions, run, runUnpacked } from './programs.ts'
import { kernelArguments, sizes } from './recipe.ts'

const mebibyte = 1 << 20
const sectors = (bytes: number) => bytes / 512

/** Where the partitions begin: the first mebibyte is the partition table's and the boot loader's. */
const bootStart = 1 * mebibyte
const rootStart = bootStart + sizes.boot * mebibyte

/** An ext4 file system `file`, labelled tinyroot, with the tree in it; all of it belongs to root. */
export async function makeExt4(packages: string, tree: string, file: string, options: RunOptions): Promise<void> {
  const env = { ...process.env, MKE2FS_CONFIG: join(packages, 'etc/mke2fs.conf'), E2FSPROGS_FAKE_TIME: '1700000000' }
  const quiet = { ...options, env }
  await writeFile(file, '')
  await truncate(file, sizes.root * mebibyte)
  const words = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-I', '256', '-m', '0', '-J', 'size=4', '-L', 'tinyroot']
  const extended = 'root_owner=0:0,lazy_itable_init=0,nodiscard,hash_seed=6e657068-6f73-4000-8000-74696e790001'
  const uuid = ['-U', '6e657068-6f73-4000-8000-74696e790000']
  await runUnpacked(packages, 'sbin/mke2fs', [...words, ...uuid, '-E', extended, '-d', tree, file], quiet)
  if (process.getuid?.() === 0) return
  // mke2fs keeps the owner of each file, and that is whoever builds this.
  const names = (await readdir(tree, { recursive: true })).filter(name => !/["\n]/.test(name))
  const commands = names.flatMap(name => [`sif "/${name}" uid 0`, `sif "/${name}" gid 0`])
  await runUnpacked(packages, 'sbin/debugfs', ['-w', '-f', '-', file], { ...quiet, input: `${commands.join('\n')}\n` })
}

/** The bootable disk: a boot loader, a FAT partition with kernel and initramfs, and the root file system last, so that it can grow. */
export async function makeBootDisk(
  packages: string,
  parts: { kernel: string; boot: Buffer; root: string },
  scratch: string,
  disk: string,
  options: RunOptions,
): Promise<void> {
  const fat = await makeFat(packages, parts, scratch, options)
  const rootSize = sizes.root * mebibyte
  const file = await open(disk, 'w')
  try {
    await file.truncate(rootStart + rootSize)
    const loader = await readFile(join(packages, 'usr/lib/syslinux/mbr/mbr.bin'))
    await file.write(partitionTable(loader, rootSize), 0, 512, 0)
    await writeAt(file, await readFile(fat), bootStart)
    await writeAt(file, await readFile(parts.root), rootStart)
  } finally {
    await file.close()
  }
}

async function writeAt(file: Awaited<ReturnType<typeof open>>, bytes: Buffer, position: number) {
  const zeros = Buffer.alloc(mebibyte)
  for (let at = 0; at < bytes.length; at += mebibyte) {
    const piece = bytes.subarray(at, at + mebibyte)
    if (!piece.equals(zeros.subarray(0, piece.length))) await file.write(piece, 0, piece.length, position + at)
  }
}

async function makeFat(
  packages: string,
  { kernel, boot }: { kernel: string; boot: Buffer },
  scratch: string,
  options: RunOptions,
): Promise<string> {
  const fat = join(scratch, 'boot.fat')
  await writeFile(fat, '')
  await truncate(fat, sizes.boot * mebibyte)
  await copyFile(kernel, join(scratch, 'vmlinuz'))
  await writeFile(join(scratch, 'boot.gz'), boot)
  await writeFile(join(scratch, 'syslinux.cfg'), syslinuxConfig)
  // syslinux calls mtools.
  const env = {
    ...process.env,
    PATH: `${join(packages, 'usr/bin')}:${process.env.PATH}`,
    MTOOLS_SKIP_CHECK: '1',
    SOURCE_DATE_EPOCH: '1700000000',
  }
  const here = { ...options, cwd: scratch, env }
  const words = ['-F', '16', '-h', String(sectors(bootStart)), '-n', 'TINYBOOT', '-i', '6e657068', fat]
  await runUnpacked(packages, 'sbin/mkfs.vfat', words, here)
  await runUnpacked(packages, 'usr/bin/mcopy', ['-i', fat, 'vmlinuz', 'boot.gz', 'syslinux.cfg', '::'], here)
  await runUnpacked(packages, 'usr/bin/syslinux', ['--install', fat], here)
  return fat
}

const syslinuxConfig = `SERIAL 0 115200
DEFAULT tiny
PROMPT 0
TIMEOUT 1
LABEL tiny
 LINUX /vmlinuz
 INITRD /boot.gz
 APPEND ${kernelArguments}
`

/** The first sector: the loader's code, then two partitions, the first one active. */
function partitionTable(loader: Buffer, rootSize: number): Buffer {
  const sector = Buffer.alloc(512)
  loader.copy(sector, 0, 0, 440)
  sector.write('neph', 440, 'latin1')
  partition(sector, 0, { active: true, type: 0x0e, start: bootStart, size: sizes.boot * mebibyte })
  partition(sector, 1, { active: false, type: 0x83, start: rootStart, size: rootSize })
  sector.writeUInt16BE(0x55aa, 510)
  return sector
}

function partition(
  sector: Buffer,
  index: number,
  { active, type, start, size }: { active: boolean; type: number; start: number; size: number },
) {
  const at = 446 + 16 * index
  sector[at] = active ? 0x80 : 0
  // Cylinders, heads and sectors say nothing on disks of today: the highest value means "see the sector numbers".
  sector.set([0xfe, 0xff, 0xff], at + 1)
  sector[at + 4] = type
  sector.set([0xfe, 0xff, 0xff], at + 5)
  sector.writeUInt32LE(sectors(start), at + 8)
  sector.writeUInt32LE(sectors(size), at + 12)
}

/** Compressed qcow2 of a raw file. */
export async function toQcow2(raw: string, file: string, options: RunOptions): Promise<void> {
  await run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, file], options)
}
