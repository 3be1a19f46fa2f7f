/** What must hold: after every step by looking at the database alone; and at rest, when database and hosts must agree. */
import type { StatementSync } from 'node:sqlite'
import { isDeepStrictEqual } from 'node:util'
import { powerStates } from '../../src/services/compute/drivers/driver.ts'
import type { HostNetworkState } from '../../src/services/network/drivers/driver.ts'
import { hostState } from '../../src/services/network/hosts/state.ts'
import {
  agreement,
  always as alwaysInAnyCloud,
  atRest,
  type PortSeen,
  type Problem,
  portsSeen,
  problemOf,
  type ServerSeen,
  serversSeen,
} from '../../src/simulated/invariants.ts'
import { onCreate } from './extensions/moody.ts'
import { memory } from './files.ts'
import type { Host, World } from './world.ts'

export { agreement, atRest, type PortSeen, type Problem, portsSeen, problemOf, type ServerSeen, serversSeen }

/** In a cloud whose quotas nobody changes. */
export const always: Record<string, string> = {
  ...alwaysInAnyCloud,
  'no project has more servers than its quota': `
    select project_id, count(*) from compute_servers where vm_state <> 'soft-delete' group by project_id
      having count(*) > 10 or sum(vcpus) > 20`,
}

/** Of the extension that misbehaves, which only simulated clouds have. */
const ofExtension: Record<string, string> = {
  'a hook that changes a request changes the server, and one that refuses it leaves none': `
    select v.server_id, v.value, s.metadata from compute_extension_values v left join compute_servers s on s.id = v.server_id
      where v.name = '${onCreate}' and (s.id is null or v.value not in ('"fine"', '"changes"')
        or (v.value = '"changes"' and json_extract(s.metadata, '$.mood') is not 'changed'))`,
}

/** At rest, of the volume service that stands in for one. */
const volumesAtRest: Record<string, string> = {
  'a volume is attached to the servers that have it': `
    select v.id, v.attachment, v.server_id from volumes v where not exists (select 1 from compute_block_devices d
      where d.volume_id = v.id and d.attachment_id = v.attachment and d.server_id = v.server_id)`,
  'a server has the volumes that are attached to it': `
    select d.volume_id, d.attachment_id, d.server_id from compute_block_devices d where d.attachment_id is not null and not exists (
      select 1 from volumes v where v.id = d.volume_id and v.attachment = d.attachment_id)`,
  'a volume is reached only from where its server is': `
    select v.id, v.server_id, json_extract(h.value, '$.host') host from volumes v, json_each(v.hosts) h
      join compute_servers s on s.id = v.server_id where json_extract(h.value, '$.attachment_id') = v.attachment
        and s.vm_state not in ('resized', 'error') and json_extract(h.value, '$.host') is not s.host`,
  'a volume is in use when a server has it': `
    select id, json_extract(body, '$.status') status from fake_volumes where kind = 'volume'
      and json_extract(body, '$.status') not in (
        select iif(json_array_length(body, '$.attachments') > 0, 'in-use', 'available')
        union select 'creating' where json_array_length(body, '$.attachments') = 0)
      and not exists (select 1 from json_each(body, '$.attachments') a join compute_servers s
        on s.id = json_extract(a.value, '$.server_id') where s.vm_state = 'error')`,
}
const attachments = `with volumes as (
  select f.id, json_extract(f.body, '$.hosts') hosts, json_extract(a.value, '$.id') attachment, json_extract(a.value, '$.server_id') server_id
    from fake_volumes f, json_each(f.body, '$.attachments') a where f.kind = 'volume')`

export interface Invariants {
  /** What the database shows; nothing when it has not changed since. */
  always(): Problem[]
  /** What must hold when nothing goes on any more. */
  atRest(): Promise<Problem[]>
}

export function invariantsOf(world: World): Invariants {
  const { connection } = world.disk
  const prepared = (queries: Record<string, string>) =>
    Object.entries(queries).map(([name, sql]) => ({ name, query: connection.prepare(sql), reads: readerOf(sql) }))
  const cheap = prepared({ ...always, ...ofExtension })
  const withAttachments = Object.entries(volumesAtRest).map(([name, sql]) => [name, `${attachments} ${sql}`])
  const rest = prepared({ ...atRest, ...Object.fromEntries(withAttachments) })
  const devices = connection.prepare(
    `select server_id, volume_id from compute_block_devices where attachment_id is not null order by volume_id`,
  )
  const withBytes = `select i.id, i.blob, i.size, l.store from image_images i join image_locations l on l.image_id = i.id where i.status = 'active'`
  const images = connection.prepare(withBytes)
  const readsImages = readerOf(withBytes)
  let seen = -1

  return {
    always() {
      if (seen === world.disk.commits) return []
      // A request's transaction waits for a scheduler in another process, for five seconds at most.
      if (connection.isTransaction && world.scheduler) return []
      seen = world.disk.commits
      if (connection.isTransaction)
        return [{ invariant: 'no transaction waits for time to pass', about: 'one is open', ids: [] }]
      const { written } = world.disk
      // What only reads what nobody wrote says what it said before.
      const due = cheap.filter(({ reads }) => reads(written))
      const missing = readsImages(written) ? missingBytes(world, images) : []
      written.clear()
      return [...rowsThatMustNotBe(due), ...missing]
    },
    async atRest() {
      const servers = connection.prepare(serversSeen).all() as unknown as ServerSeen[]
      const ports = connection.prepare(portsSeen).all() as unknown as PortSeen[]
      const agreed = world.hosts.flatMap(({ name, guests, plane }) =>
        agreement({ servers, ports }, { name, guests, carried: (plane.applied?.ports ?? []).map(port => port.id) }),
      )
      const networks = (await Promise.all(world.hosts.map(host => networkDiffers(world, host)))).flat()
      return [
        ...rowsThatMustNotBe(rest),
        ...missingBytes(world, images),
        ...agreed,
        ...networks,
        ...guestsOfVolumes(world, devices),
      ]
    },
  }
}

interface Check {
  name: string
  query: StatementSync
  /** Whether it reads any of what was written. */
  reads: Reader
}

type Reader = (written: ReadonlySet<string>) => boolean

/** A query reads what it names: of a row that changed in other columns it says what it said before. */
export function readerOf(sql: string): Reader {
  const words = new Set(sql.match(/\w+/g))
  return written => written.has('') || [...written].some(one => one.split('.').every(word => words.has(word)))
}

function rowsThatMustNotBe(checks: Check[]): Problem[] {
  return checks.flatMap(({ name, query }) => query.all().map(row => problemOf(name, row)))
}

/** Guests that have other volumes than their servers. */
function guestsOfVolumes({ hosts }: World, devices: StatementSync): Problem[] {
  const byServer = Map.groupBy(devices.all(), row => String(row.server_id))
  return hosts.flatMap(({ name, guests }) =>
    [...guests].flatMap(([id, { spec, power_state }]) => {
      const wanted = (byServer.get(id) ?? []).map(row => String(row.volume_id)).join()
      const disks = spec.disks.filter(({ source }) => source.type === 'volume').map(disk => disk.id)
      if (power_state !== powerStates.running || disks.sort().join() === wanted) return []
      return [
        {
          invariant: 'a guest has the volumes of its server',
          about: `${id} on ${name}: ${disks}, not ${wanted}`,
          ids: [id],
        },
      ]
    }),
  )
}

/** A host's networks that are not what the database wants of it: addresses, groups, routers, neighbours. */
async function networkDiffers(world: World, { name, plane }: Host): Promise<Problem[]> {
  const wanted = JSON.parse(JSON.stringify(await hostState(world.control.cloud!.ctx(), name, null))) as HostNetworkState
  const carried = plane.applied
  const parts = Object.keys(wanted) as (keyof HostNetworkState)[]
  return parts
    .filter(part => !isDeepStrictEqual(carried?.[part], wanted[part]))
    .map(part => ({
      invariant: "a host's networks are what they should be",
      about: `${part} of ${name}: ${JSON.stringify(carried?.[part])}, wanted ${JSON.stringify(wanted[part])}`,
      ids: [],
    }))
}

/** Of stores. */
const folders: Record<string, string> = { file: 'images', second: 'second' }

function missingBytes({ files }: World, images: StatementSync): Problem[] {
  return images
    .all()
    .filter(
      ({ store, blob, size }) => files.all.get(`${memory}${folders[String(store)]}/${String(blob)}`)?.length !== size,
    )
    .map(({ id, store }) => ({
      invariant: 'an image is active only with its bytes',
      about: `${id} in ${store}`,
      ids: [String(id)],
    }))
}
