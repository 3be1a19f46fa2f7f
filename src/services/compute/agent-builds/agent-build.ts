/** A build of the agent (and, with it, of the paravirtual drivers) for guests of one kind: what they are brought up to. */

export interface AgentBuild {
  /** Of the host: `QEMU`. */
  hypervisor: string
  /** Of the image, `os_type`: `linux` or `windows`. */
  os: string
  /** Of the host: `x86_64`. */
  architecture: string
  /** Numbers with dots between. */
  version: string
  /** Where the file is that brings it. */
  url: string
  /** Hex digest of that file: MD5, as the name says, or SHA-256 or SHA-512, which its length tells. */
  md5hash: string
}

export interface AgentBuildRow extends AgentBuild {
  id: number
  /** The guests that are there have been told to take it. */
  offered: boolean
}

export type GuestKind = Pick<AgentBuild, 'hypervisor' | 'os' | 'architecture'>

/** What images call a system that they say nothing of. */
export const defaultOs = 'linux'

export const digests: Record<number, string> = { 32: 'md5', 64: 'sha256', 128: 'sha512' }

export const isSameWord = (one: string, other: string) => one.toLowerCase() === other.toLowerCase()

export const isFor = (build: GuestKind, kind: GuestKind): boolean =>
  isSameWord(build.hypervisor, kind.hypervisor) &&
  isSameWord(build.os, kind.os) &&
  isSameWord(build.architecture, kind.architecture)

/** By their numbers, one after the other: 8.2.10 is newer than 8.2.9. */
export function isOlder(version: string, than: string): boolean {
  const [one, other] = [version, than].map(text => text.split(/\D+/).filter(Boolean).map(Number)) as [
    number[],
    number[],
  ]
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [a, b] = [one[i] ?? 0, other[i] ?? 0]
    if (a !== b) return a < b
  }
  return false
}
