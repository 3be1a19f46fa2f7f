/** Lays out the guest's two file trees: the root file system, and the initramfs that finds and grows it. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { findModules, loadOrder } from './kernel.ts'
import { librariesOf, loaderOf, locate, type RunOptions, runUnpacked } from './programs.ts'
import { architecture, bootPrograms, guestPrograms, modules } from './recipe.ts'

export interface Unpacked {
  /** Folder where the packages of programs are unpacked. */
  packages: string
  /** Folder where the kernel's package is. */
  kernel: string
}

/** The files that we write ourselves. */
const overlay = join(import.meta.dirname, 'root')

export async function makeRoot(from: Unpacked, root: string, options: RunOptions): Promise<void> {
  const folders = [
    'bin',
    'sbin',
    'lib',
    'lib64',
    'usr/bin',
    'usr/sbin',
    'etc/dropbear',
    'proc',
    'sys',
    'dev',
    'run',
    'tmp',
  ]
  makeFolders(root, [...folders, 'root/.ssh', 'mnt', 'var/log', 'var/lib'])
  for (const folder of ['root', 'root/.ssh']) chmodSync(join(root, folder), 0o700)
  chmodSync(join(root, 'tmp'), 0o1777)
  cpSync(overlay, root, { recursive: true, filter: source => source !== join(overlay, 'init') })
  await addBusybox(from, root, options)
  await addPrograms(from, root, guestPrograms, options)
  addModules(from, root, ['early', 'base', 'config-drive'])
  symlinkSync('../bin/busybox', join(root, 'sbin/init'))
  symlinkSync('../proc/mounts', join(root, 'etc/mtab'))
  fixModes(root)
}

export async function makeBoot(from: Unpacked, root: string, options: RunOptions): Promise<void> {
  makeFolders(root, ['bin', 'sbin', 'usr/bin', 'usr/sbin', 'lib', 'lib64', 'proc', 'sys', 'dev', 'newroot', 'etc'])
  for (const script of ['init', 'usr/sbin/growpart']) {
    copyFileSync(join(overlay, script), join(root, script))
    chmodSync(join(root, script), 0o755)
  }
  await addBusybox(from, root, options)
  await addPrograms(from, root, bootPrograms, options)
  addModules(from, root, ['early'])
}

function makeFolders(root: string, folders: string[]) {
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true, mode: 0o755 })
}

/** Packages and checkouts do not keep all the modes that matter. */
function fixModes(root: string) {
  for (const name of readdirSync(overlay, { recursive: true }) as string[]) {
    if (name === 'init') continue
    const path = join(root, name)
    const plain = statSync(path).isFile() && !readFileSync(path, 'latin1').startsWith('#!')
    chmodSync(path, plain ? 0o644 : 0o755)
  }
  chmodSync(join(root, 'etc/shadow'), 0o600)
}

async function addBusybox(from: Unpacked, root: string, options: RunOptions) {
  await addPrograms(from, root, ['bin/busybox'], options)
  const commands = await runUnpacked(from.packages, 'bin/busybox', ['--list'], options)
  for (const command of commands.toString().split('\n')) {
    const link = join(root, 'bin', command)
    if (/^[\w[-]+$/.test(command) && command !== 'busybox') symlinkSync('busybox', link)
  }
}

/** Copies programs and the libraries that the loader says they need. */
async function addPrograms(from: Unpacked, root: string, programs: string[], options: RunOptions) {
  copyFileSync(realpathSync(loaderOf(from.packages).loader), join(root, 'lib64', architecture.loader))
  for (const program of programs) {
    const path = locate(from.packages, program)
    mkdirSync(dirname(join(root, program)), { recursive: true })
    copyFileSync(path, join(root, program))
    chmodSync(join(root, program), 0o755)
    for (const [name, found] of await librariesOf(from.packages, program, options)) {
      copyFileSync(realpathSync(found), join(root, 'lib', name))
    }
  }
}

function addModules(from: Unpacked, root: string, groups: (keyof typeof modules)[]) {
  const { version, paths } = findModules(from.kernel)
  const folder = join(root, 'lib/modules', version)
  mkdirSync(folder, { recursive: true })
  for (const group of groups) {
    const order = loadOrder(modules[group], paths)
    for (const path of order) copyFileSync(path, join(folder, basename(path)))
    writeFileSync(join(folder, group), order.map(path => `${basename(path)}\n`).join(''))
  }
}
