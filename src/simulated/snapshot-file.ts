/** A snapshot as one file: the cloud's own SQLite database, with a table for all else. */
import { DatabaseSync } from 'node:sqlite'
import { BadRequest } from '#kernel/errors.ts'
import { type TSchema, Type } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
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
  away?: Beginning['away']
  passwords: Passwords
  time: Snapshot['time']
}

/** Hosts and guests have files of these names. */
const fileName = '^[\\w-][\\w.-]{0,250}$'

const named = (value: TSchema) =>
  Type.Record(Type.String({ pattern: fileName }), value, { additionalProperties: false })

const aboutSchema = Type.Object({
  format: Type.Integer(),
  hosts: named(named(Type.Object({}))),
  away: Type.Optional(Type.Array(Type.String())),
  passwords: Type.Object({ admin: Type.String(), demo: Type.String() }),
  time: Type.Optional(Type.Object({ now: Type.Number(), speed: Type.Number({ minimum: 0 }) })),
})

export function fileOf({ beginning, images, time }: Snapshot): Uint8Array {
  using file = new DatabaseSync(':memory:')
  if (typeof beginning.from !== 'string') file.deserialize(beginning.from)
  file.exec(`create table ${table} (name text primary key, content blob not null)`)
  const insert = file.prepare(`insert into ${table} (name, content) values (?, ?)`)
  const { hosts, away, passwords } = beginning
  const about: About = { format, hosts, ...(away && { away }), passwords, time }
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
  const part = parts.find(({ name }) => name === 'about')!
  const about = JSON.parse(Buffer.from(part.content).toString()) as About
  if (about.format !== format)
    throw new BadRequest(`The snapshot is of format ${about.format} and this version reads ${format}: take it anew.`)
  const problem = problemOf(aboutSchema, about)
  if (problem) throw new BadRequest(`What the snapshot says of itself makes no sense: ${problem.message}`)
  const { integrity_check } = file.prepare('pragma integrity_check(1)').get() as { integrity_check: string }
  if (integrity_check !== 'ok') throw new BadRequest('The snapshot is damaged: take it anew.')
  const { hosts, away = [], passwords, time } = about
  const images = parts.filter(({ name }) => name.startsWith(imagePrefix))
  file.exec(`drop table ${table}`)
  return {
    beginning: { from: file.serialize(), hosts, away, passwords },
    images: new Map(images.map(({ name, content }) => [safe(name.slice(imagePrefix.length)), content])),
    time,
  }
}

/** The names of files below a folder, and nothing that leads out of it. */
function safe(name: string): string {
  if (/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(name)) return name
  throw new BadRequest(`The snapshot has a file called ${JSON.stringify(name)}, which no image is.`)
}
