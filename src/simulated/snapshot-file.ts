/** A snapshot as one file: the cloud's own SQLite database, with a table for all else. */
import { DatabaseSync } from 'node:sqlite'
import { BadRequest } from '#kernel/errors.ts'
import type { Passwords } from '../cli/data-dir.ts'
import type { Beginning } from './life.ts'
import type { Snapshot } from './snapshot.ts'

/** Grows when files of before can no longer be read. */
const format = 1
const table = 'simulated_parts'
const imagePrefix = 'image/'

interface About {
  format: number
  hosts: Beginning['hosts']
  passwords: Passwords
  time: Snapshot['time']
}

export function fileOf({ beginning, images, time }: Snapshot): Uint8Array {
  using file = new DatabaseSync(':memory:')
  if (typeof beginning.from !== 'string') file.deserialize(beginning.from)
  file.exec(`create table ${table} (name text primary key, content blob not null)`)
  const insert = file.prepare(`insert into ${table} (name, content) values (?, ?)`)
  const about: About = { format, hosts: beginning.hosts, passwords: beginning.passwords, time }
  insert.run('about', Buffer.from(JSON.stringify(about)))
  for (const [name, bytes] of images) insert.run(imagePrefix + name, bytes)
  return file.serialize()
}

/** Throws a 400 for what is no snapshot. */
export function snapshotIn(bytes: Uint8Array): Snapshot {
  try {
    return read(bytes)
  } catch (cause) {
    if (cause instanceof BadRequest) throw cause
    throw new BadRequest('This is no snapshot of a simulated cloud: send what /_nephos/snapshot gave.', { cause })
  }
}

function read(bytes: Uint8Array): Snapshot {
  using file = new DatabaseSync(':memory:')
  file.deserialize(bytes)
  const parts = file.prepare(`select name, content from ${table}`).all() as { name: string; content: Uint8Array }[]
  const about = parts.find(({ name }) => name === 'about')!
  const { format: written, hosts, passwords, time } = JSON.parse(Buffer.from(about.content).toString()) as About
  if (written !== format)
    throw new BadRequest(`The snapshot is of format ${written} and this version reads ${format}: take it anew.`)
  const images = parts.filter(({ name }) => name.startsWith(imagePrefix))
  file.exec(`drop table ${table}`)
  return {
    beginning: { from: file.serialize(), hosts, passwords },
    images: new Map(images.map(({ name, content }) => [safe(name.slice(imagePrefix.length)), content])),
    time,
  }
}

/** The names of files below a folder, and nothing that leads out of it. */
function safe(name: string): string {
  if (/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(name)) return name
  throw new BadRequest(`The snapshot has a file called ${JSON.stringify(name)}, which no image is.`)
}
