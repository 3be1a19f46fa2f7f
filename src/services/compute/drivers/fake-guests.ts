/** Fake guests in files, one a guest, so that a simulated cloud has them still after its process was killed, as real hosts do. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FakeGuest } from './fake.ts'

export function keptGuests(dir: string): { guests: Map<string, FakeGuest>; changed: (id: string) => void } {
  mkdirSync(dir, { recursive: true })
  const files = readdirSync(dir).filter(name => name.endsWith('.json'))
  const guests = new Map(
    files.map(name => [name.slice(0, -5), JSON.parse(readFileSync(join(dir, name), 'utf8')) as FakeGuest]),
  )
  return {
    guests,
    changed(id) {
      const guest = guests.get(id)
      const file = join(dir, `${id}.json`)
      if (!guest) return rmSync(file, { force: true })
      writeFileSync(`${file}.new`, JSON.stringify(guest))
      renameSync(`${file}.new`, file)
    },
  }
}
