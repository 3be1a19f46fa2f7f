/** The lists of tests that can be asked for by name, and the areas that results are told by. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What counts as an area of its own, in the order of the report. */
export const areas = [
  'api.identity',
  'api.image',
  'api.network',
  'api.compute',
  'api.volume',
  'api.object_storage',
  'scenario',
  'serial_tests',
] as const

/** Tests of the compute API that log in to guests. */
const withGuests =
  '^tempest\\.api\\.compute\\.(admin\\.test_create_server|servers\\.test_(attach_interfaces|create_server|device_tagging|server_actions|server_personality|server_rescue))\\.'

/** Lists of which the results of runs with `--real` are told. */
export const realLists = ['scenario', 'guests', 'api.compute']

/** Lists of which the results of runs on simulated hosts are. */
export const simulatedLists = ['smoke', 'interop', ...areas.filter(area => area !== 'scenario')]

/** It takes the floating address that its class shares to a server of its own: on real guests, no test after it in the class reaches its guest. */
export const disturbing =
  'tempest.api.compute.servers.test_server_actions.ServerActionsTestJSON.test_change_server_password'

/** Two nodes have to serve images for it. */
export const betweenNodes = 'tempest.api.image.v2.admin.test_image_caching.ImageCachingTest.test_remote_and_self_cache'

/** Regular expressions over the full names (with attributes) of a list's tests. Throws for a name that is none. */
export function patternsOf(list: string): string[] {
  if (list === 'all') return areas.map(area => `^tempest\\.${area.replaceAll('.', '\\.')}\\.`)
  if (list === 'smoke') return ['\\[.*\\bsmoke\\b.*\\]']
  if (list === 'interop') return interopIds().map(id => `id-${id}`)
  if (list === 'guests') return [withGuests]
  if (areas.some(area => list === area || list.startsWith(`${area}.`))) {
    return [`^tempest\\.${list.replaceAll('.', '\\.')}(\\.|\\[|$)`]
  }
  throw new Error(
    `there is no list '${list}': smoke, interop, guests, all, or one of ${areas.join(', ')} or below one of them`,
  )
}

/** Whether a test, by its name with attributes, is on a list. */
export function onList(list: string): (id: string) => boolean {
  const patterns = patternsOf(list).map(pattern => new RegExp(pattern))
  return id => patterns.some(pattern => pattern.test(id))
}

/** Ids of the tests that the programme for compute clouds asks for, and the one for platforms adds. */
function interopIds(): string[] {
  const path = join(import.meta.dirname, '../inventory/interop.json')
  const { components } = JSON.parse(readFileSync(path, 'utf8')) as {
    components: Record<string, Record<string, { tests: { id: string }[] }>>
  }
  const capabilities = ['os_powered_compute', 'os_powered_storage'].flatMap(name =>
    Object.values(components[name] ?? {}),
  )
  return [...new Set(capabilities.flatMap(({ tests }) => tests.map(test => test.id)))].sort()
}
