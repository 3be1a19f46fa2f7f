/** Which programs the real drivers run, the Debian package of each, and what for. */
import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'

/** Drivers that have been chosen: no `auto` any more. */
export interface Drivers {
  virt: 'qemu' | 'fake'
  network: 'linux' | 'fake'
}

export interface Need {
  program: string
  package: string
  why: string
}

const emulator =
  process.arch === 'arm64'
    ? { program: 'qemu-system-aarch64', package: 'qemu-system-arm' }
    : { program: 'qemu-system-x86_64', package: 'qemu-system-x86' }

const qemuNeeds: Need[] = [
  { ...emulator, why: 'runs the guests' },
  { program: 'qemu-img', package: 'qemu-utils', why: 'makes and converts disks' },
  { program: 'genisoimage', package: 'genisoimage', why: 'makes config drives' },
  { program: 'prlimit', package: 'util-linux', why: 'puts limits on QEMU' },
  { program: 'setpriv', package: 'util-linux', why: 'takes privileges from QEMU' },
]

const linuxNeeds: Need[] = [
  { program: 'ip', package: 'iproute2', why: 'bridges, taps, routers' },
  { program: 'nft', package: 'nftables', why: 'security groups, floating IPs' },
  { program: 'dnsmasq', package: 'dnsmasq-base', why: 'addresses and names for guests' },
  { program: 'conntrack', package: 'conntrack', why: 'ends connections that a changed rule forbids' },
  { program: 'arping', package: 'iputils-arping', why: 'tells the neighbours where a floating IP is' },
]

export function needsOf(drivers: Drivers): Need[] {
  return [...(drivers.virt === 'qemu' ? qemuNeeds : []), ...(drivers.network === 'linux' ? linuxNeeds : [])]
}

export function missingNeeds(drivers: Drivers, env: NodeJS.ProcessEnv = process.env): Need[] {
  return needsOf(drivers).filter(need => findProgram(need.program, env) === undefined)
}

/** A program's path. Folders of system programs count as well: an ordinary user's PATH lacks them. */
export function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = [...(env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders
    .filter(folder => folder.startsWith('/'))
    .map(folder => join(folder, name))
    .find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

export function installCommand(needs: Need[]): string {
  return `apt-get install --no-install-recommends ${packagesOf(needs).join(' ')}`
}

export function packagesOf(needs: Need[]): string[] {
  return [...new Set(needs.map(need => need.package))]
}
