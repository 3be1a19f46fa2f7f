/** Every saga has a story of its crashes: a kill at each of its steps at least. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { services } from '../../src/services.ts'

const source = join(import.meta.dirname, '../../src/services')
const read = (file: string) => readFileSync(join(source, file), 'utf8')

/** Flows of `crashStories`: a kill, a failure and a delete at each step, and that the place was reached. */
const flows = [
  ...['crash', 'crash-deferred', 'crash-deleted-disks', 'crash-disks', 'crash-home', 'crash-small', 'crash-volumes'],
  ...['moves/crash-cold', 'moves/crash-live', 'moves/crash-rooms', 'moves/crash-shelve'],
].map(name => `compute/servers/${name}.test.ts`)

/** Sagas of another shape, and the words of their story. */
const others: Record<string, [file: string, title: string]> = {
  'compute.servers.plan': ['compute/servers/plan.test.ts', 'a kill at every step of a plan'],
  'compute.servers.place': ['compute/servers/placing-later.test.ts', 'a kill at every step of placing later'],
  'compute.maintenances.carry_out': [
    'compute/servers/maintenance/maintenance.test.ts',
    'a drain goes on after a kill at each of its steps',
  ],
  'compute.hosts.fence': ['compute/servers/moves/fencing.test.ts', 'the next process brings the servers back'],
  'compute.aggregates.cache_images': ['compute/aggregates/cache-images.test.ts', 'a kill at every step'],
  'compute.servers.software': ['compute/servers/software/software.test.ts', 'a kill at every step of a run'],
  'compute.servers.grow_disk': ['compute/servers/guest-works/grow-disk.test.ts', 'a kill at every step of a growth'],
  'compute.servers.update_agent': [
    'compute/servers/guest-works/update-agent.test.ts',
    'a kill at every step of an update',
  ],
  'compute.kept_files.image': ['compute/servers/kept-files.test.ts', 'a kill at every step of such an image'],
  'image.import': ['image/blobs/crash.test.ts', "saga: 'image.import'"],
  'image.web-location': ['image/blobs/crash.test.ts', "saga: 'image.web-location'"],
}

test('each saga of each service has a story of its crashes', () => {
  const named = flows.flatMap(file =>
    [...read(file).matchAll(/\b(?:saga: |outOfLine\()'([\w.-]+)'/g)].map(([, name]) => name!),
  )
  const told = new Set([
    ...named.map(name => (name.includes('.') ? name : `compute.servers.${name}`)),
    ...Object.entries(others).flatMap(([id, [file, title]]) => (read(file).includes(title) ? [id] : [])),
  ])
  const sagas = services.flatMap(service => (service.sagas ?? []).map(({ id }) => id))
  assert.ok(sagas.length > 35, `${sagas.length} sagas`)
  assert.deepEqual(
    sagas.filter(id => !told.has(id)),
    [],
  )
  assert.deepEqual(
    [...told].filter(id => !sagas.includes(id)),
    [],
  )
})
