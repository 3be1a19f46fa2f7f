/** What must hold after a restart: at once, and at the latest when everything that was under way has ended. */
import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { keptGuests } from '../../src/services/compute/drivers/fake-guests.ts'
import { carriedBy } from '../journeys/leftovers.ts'
import type { Kind } from '../simulation/clients.ts'
import {
  agreement,
  always,
  atRest,
  type PortSeen,
  type Problem,
  portsSeen,
  problemOf,
  type ServerSeen,
  serversSeen,
} from '../simulation/invariants.ts'
import type { Clients } from './clients.ts'
import type { ChaosCloud } from './cloud.ts'
import { type Found, lists } from './ledger.ts'
import { hostProblems } from './real-host.ts'

/** An upload that died is taken back after some time: that is looked for at the end only. */
const slow = ['no upload goes on']

export interface CheckOptions {
  /** Names of simulated hosts; none: this machine is the host. */
  hosts: string[]
  /** How long it may take until all that was under way has ended. */
  limitMs: number
}

export interface Rest {
  ms: number
  /** What took longest. */
  last: string
  problems: Problem[]
}

/** Waits until nothing goes on any more and all is as it must be; what must hold always may not fail meanwhile. */
export async function untilAtRest(
  cloud: ChaosCloud,
  clients: Clients,
  options: CheckOptions,
  more: () => Promise<Problem[]> = async () => [],
): Promise<Rest> {
  const began = cloud.now()
  let last = ''
  for (;;) {
    const wrong = [...clients.wrong, ...(await rowsThatMustNotBe(cloud, always))]
    const ms = cloud.now() - began
    if (wrong.length > 0) return { ms, last, problems: wrong }
    const problems = await open(cloud, clients, options, more)
    if (problems.length === 0) return { ms, last, problems: [] }
    if (ms > options.limitMs) return { ms, last, problems }
    last = problems[0]!.invariant
    await sleep(200)
  }
}

/** What is not yet as it must be; dearer questions only when cheaper ones are through. */
async function open(
  cloud: ChaosCloud,
  clients: Clients,
  { hosts }: CheckOptions,
  more: () => Promise<Problem[]>,
): Promise<Problem[]> {
  const quick = Object.fromEntries(Object.entries(atRest).filter(([name]) => !slow.includes(name)))
  const rows = await rowsThatMustNotBe(cloud, quick)
  if (rows.length > 0) return rows
  const onHosts = await hostsAgree(cloud, hosts)
  if (onHosts.length > 0) return onHosts
  const kept = await keptAndGone(clients)
  return kept.length > 0 ? kept : more()
}

async function rowsThatMustNotBe({ rows }: ChaosCloud, queries: Record<string, string>): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const [invariant, sql] of Object.entries(queries))
    problems.push(...(await rows(sql)).map(row => problemOf(invariant, row)))
  return problems
}

async function hostsAgree(cloud: ChaosCloud, hosts: string[]): Promise<Problem[]> {
  const servers = (await cloud.rows(serversSeen)) as unknown as ServerSeen[]
  const ports = (await cloud.rows(portsSeen)) as unknown as PortSeen[]
  if (hosts.length === 0) return hostProblems(await carriedBy(cloud.stage), { servers, ports })
  return hosts.flatMap(name =>
    agreement({ servers, ports }, { name, guests: keptGuests(cloud.file('hosts', name)).guests }),
  )
}

/** What was accepted is there, and what was deleted is not, as clients see it. */
async function keptAndGone({ ledger, admin, must }: Clients): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const [kind, { path, collection }] of Object.entries(lists)) {
    const body = await must<Record<string, Found[]>>(admin, { method: 'GET', path })
    problems.push(...ledger.problems(kind as Kind, body[collection]!))
  }
  return problems
}

/** What no deleted thing may leave behind; asked when everything that clients made has been deleted. */
const nothingLeft: Record<string, string> = {
  'no upload goes on': atRest['no upload goes on']!,
  'no room is held': `select consumer, provider from placement_allocations where consumer not in (select id from compute_servers)
    and consumer not in (select uuid from compute_migrations) and consumer not in (select id from compute_links)`,
}

/** Deletes what clients have made, and looks for what stays: rows, files, guests, devices. */
export async function leavesNothing(cloud: ChaosCloud, clients: Clients, options: CheckOptions): Promise<Rest> {
  const { admin, must } = clients
  const newest = { 'openstack-api-version': 'compute latest' }
  const { servers } = await must<{ servers: { id: string }[] }>(admin, { method: 'GET', path: lists.server!.path })
  for (const { id } of servers)
    await cloud.ask({ method: 'DELETE', path: `/compute/v2.1/servers/${id}`, token: admin.token!, headers: newest })
  const left = async () => [
    ...(await rowsThatMustNotBe(cloud, { 'all servers go': 'select id, vm_state, task_state from compute_servers' })),
    ...(await rowsThatMustNotBe(cloud, nothingLeft)),
    ...(await imageFiles(cloud)),
  ]
  clients.ledger.forget('server')
  return untilAtRest(cloud, clients, options, left)
}

/** Files of images and images have each other. */
async function imageFiles(cloud: ChaosCloud): Promise<Problem[]> {
  const folder = cloud.file('images')
  const files = existsSync(folder) ? readdirSync(folder) : []
  const images = await cloud.rows('select id, blob, status from image_images where blob is not null')
  const wanted = new Set(images.map(({ blob }) => String(blob)))
  const extra = files.filter(name => !wanted.has(name))
  const absent = images.filter(({ blob, status }) => status === 'active' && !files.includes(String(blob)))
  return [
    ...extra.map(name => ({ invariant: 'no file without its image', about: name, ids: [] })),
    ...absent.map(row => problemOf('an active image has its file', row)),
  ]
}
