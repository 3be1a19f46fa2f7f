/** Builds a bootable Debian cloud image from packages, as distributions make theirs: BIOS, ext4, cloud-init, sshd. Kept in the cache. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, open, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../../src/cli/image-build.ts'

const packages = [
  ...['linux-image-cloud-amd64', 'initramfs-tools', 'systemd-sysv', 'dbus', 'cloud-init', 'cloud-guest-utils'],
  ...['e2fsprogs', 'netplan.io', 'openssh-server', 'sudo', 'iproute2', 'iputils-ping', 'qemu-guest-agent'],
]
const MiB = 1024 * 1024
const grubFolder = '/usr/lib/grub/i386-pc'

/** The path of a compressed qcow2 whose disk is 1.4 GiB large. Takes minutes and 150 MB of packages when it is not in the cache. */
export async function debianImage(): Promise<string> {
  const recipe = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .digest('hex')
    .slice(0, 16)
  const folder = join(cacheFolder(), 'debian')
  const path = join(folder, `${recipe}.qcow2`)
  if (existsSync(path)) return path
  await mkdir(folder, { recursive: true })
  const scratch = await mkdtemp(join(folder, 'build-'))
  try {
    const root = join(scratch, 'root')
    await run('mmdebstrap', ['--mode=root', '--variant=minbase', `--include=${packages.join(',')}`, 'bookworm', root])
    await configure(root)
    const disk = await bootDisk(scratch, root)
    await run('qemu-img', ['convert', '-c', '-O', 'qcow2', disk, join(scratch, 'disk.qcow2')])
    await rename(join(scratch, 'disk.qcow2'), path)
    return path
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function run(program: string, args: string[]): Promise<void> {
  await promisify(execFile)(program, args, { maxBuffer: 64 * MiB })
}

/** What every image must not have twice goes: the machine's id and its host keys. */
async function configure(root: string): Promise<void> {
  await writeFile(join(root, 'etc/fstab'), 'LABEL=root / ext4 defaults 0 1\n')
  await writeFile(join(root, 'etc/machine-id'), '')
  // The default, en_US, is made in the guest, and that fails without the package's questions answered.
  await writeFile(join(root, 'etc/cloud/cloud.cfg.d/10-locale.cfg'), 'locale: C.UTF-8\n')
  for (const name of readdirSync(join(root, 'etc/ssh')).filter(one => one.startsWith('ssh_host_')))
    await rm(join(root, 'etc/ssh', name))
  const kernel = readdirSync(join(root, 'boot')).find(name => name.startsWith('vmlinuz-'))!
  await mkdir(join(root, 'boot/grub'), { recursive: true })
  const menu = [
    `linux /boot/${kernel} root=LABEL=root ro console=tty0 console=ttyS0,115200`,
    `initrd /boot/${kernel.replace('vmlinuz', 'initrd.img')}`,
    'boot',
  ]
  await writeFile(join(root, 'boot/grub/grub.cfg'), `${menu.join('\n')}\n`)
}

/** One partition from 1 MiB on, GRUB before it. Nothing is mounted: the file system is written from the folder. */
async function bootDisk(scratch: string, root: string): Promise<string> {
  const [disk, part, core] = ['disk.raw', 'part.ext4', 'core.img'].map(name => join(scratch, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(part, '')
  await truncate(part, 1400 * MiB)
  await run('mke2fs', ['-q', '-t', 'ext4', '-L', 'root', '-d', root, part])
  await writeFile(disk, '')
  await truncate(disk, 1401 * MiB)
  await run('parted', [
    '-s',
    disk,
    'mklabel',
    'msdos',
    'mkpart',
    'primary',
    'ext4',
    '1MiB',
    '100%',
    'set',
    '1',
    'boot',
    'on',
  ])
  const modules = ['biosdisk', 'part_msdos', 'ext2', 'linux', 'normal', 'configfile']
  await run('grub-mkimage', ['-O', 'i386-pc', '-p', '(hd0,msdos1)/boot/grub', '-o', core, ...modules])
  await run('dd', [`if=${part}`, `of=${disk}`, 'bs=1M', 'seek=1', 'conv=notrunc,sparse'])
  const file = await open(disk, 'r+')
  try {
    // The first 440 bytes are the boot loader's; the partition table follows.
    await file.write(readFileSync(join(grubFolder, 'boot.img')), 0, 440, 0)
    await file.write(readFileSync(core), 0, undefined, 512)
  } finally {
    await file.close()
  }
  return disk
}
