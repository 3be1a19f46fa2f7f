/** A whole simulated cloud at one instant: its database, its guests and the bytes of its images. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Passwords } from '../cli/data-dir.ts'
import type { Beginning, Life } from './life.ts'

export interface Snapshot {
  beginning: Beginning
  /** Files of images by their paths in the folder. */
  images: ReadonlyMap<string, Uint8Array>
  /** Milliseconds since the epoch, and how fast it passes. Without it time is real. */
  time?: { now: number; speed: number } | undefined
}

export function snapshotOf(
  life: Life,
  imageFolder: string,
  passwords: Passwords,
  time?: Snapshot['time'],
): Promise<Snapshot> {
  return life.between(database => {
    const hosts = life.hosts.map(({ name, guests }) => [name, structuredClone(Object.fromEntries(guests))])
    const away = life.hosts.filter(host => host.away).map(({ name }) => name)
    return {
      beginning: { from: database, hosts: Object.fromEntries(hosts), away, passwords },
      time,
      images: new Map(filesIn(imageFolder).map(name => [name, readFileSync(join(imageFolder, name))])),
    }
  })
}

/** Makes a folder of images what it was; a file never changes once it is whole. */
export function restoreImages(imageFolder: string, images: ReadonlyMap<string, Uint8Array>): void {
  mkdirSync(imageFolder, { recursive: true, mode: 0o700 })
  for (const name of filesIn(imageFolder)) if (!images.has(name)) rmSync(join(imageFolder, name), { force: true })
  for (const [name, bytes] of images) {
    const path = join(imageFolder, name)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (statSync(path, { throwIfNoEntry: false })?.size !== bytes.length) writeFileSync(path, bytes, { mode: 0o600 })
  }
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => relative(folder, join(entry.parentPath, entry.name)))
}
