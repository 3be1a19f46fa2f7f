/** What a test may claim of a whole cloud, and what speaks against it. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import { didYouMean } from '#kernel/near-miss.ts'
import { type Assertion, type AssertionName, assertionNames, type Claim } from './controls.ts'
import {
  agreement,
  always,
  atRest,
  type PortSeen,
  portsSeen,
  problemOf,
  type ServerSeen,
  serversSeen,
} from './invariants.ts'
import { newAmong, shown, type Thing, thingsIn } from './leftovers.ts'
import type { Life } from './life.ts'

interface Look {
  life: Life
  /** In a transaction: all that is seen is of one instant. */
  db: Db
  /** Things that do not count: made since the cloud was ready are those that do. */
  before: ReadonlySet<string>
  /** Id or name of the only project that counts. */
  project: string | undefined
}

/** Of what speaks against an assertion, in a message. */
const mostTold = 20

type Found = Assertion['problems']

const checks: Record<AssertionName, (look: Look) => Promise<Found>> = {
  sound,
  'at-rest': async ({ db }) =>
    (await rowsOf<{ saga: string; subject: string }>(db, unfinished)).map(({ saga, subject }) => ({
      about: `${saga} of ${subject} is under way`,
      ids: [subject],
    })),
  'nothing-left': async look => (await madeSince(look)).map(problemWith),
  'no-leaked-ports': async look => {
    const servers = new Set((await thingsIn(look.db)).filter(({ kind }) => kind === 'server').map(({ id }) => id))
    const ports = (await madeSince(look)).filter(({ kind }) => kind === 'port')
    return ports.filter(({ used_by }) => !servers.has(used_by ?? '')).map(problemWith)
  },
  'no-errors': async look => {
    const failed = new Map((await rowsOf<{ id: string; why: string }>(look.db, inError)).map(row => [row.id, row.why]))
    const all = await thingsIn(look.db)
    const things = ofProject(all, all, look.project).filter(({ id }) => failed.has(id))
    return things.map(thing => ({ about: `${shown(thing)}: ${failed.get(thing.id)}`, ids: [thing.id] }))
  },
}

const unfinished = "select saga, subject from kernel_sagas where state in ('running', 'unwinding')"

const cleanups = 'select server_id from compute_host_cleanups'

const inError = `select id, coalesce(cast(fault as text), 'it is in ERROR') why from compute_servers where vm_state = 'error'
  union all select id, 'it was killed' from image_images where status = 'killed'`

/** By a host that is away: once it is back. */
const wired = 'ports of a server on a host are wired'

/** Servers may be set to ERROR by hand, and a client may take its time over an upload. */
const notOurs = ['an error says why', 'no upload goes on']

/** All of them, or the one of that name. */
export async function assertionsOf(
  life: Life,
  before: ReadonlySet<string>,
  { name, project }: Claim,
): Promise<Assertion[]> {
  const names = name === undefined ? assertionNames : [requireKnown(name)]
  return life.cloud.env.database.transaction(async db => {
    const assertions: Assertion[] = []
    for (const one of names) {
      const problems = await checks[one]({ life, db, before, project })
      assertions.push({ name: one, holds: problems.length === 0, problems })
    }
    return assertions
  })
}

/** A conflict that tells what speaks against it. */
export function violated({ name, problems }: Assertion): Conflict {
  const told = problems.slice(0, mostTold).map(({ about }) => about)
  const more = problems.length > mostTold ? [`and ${problems.length - mostTold} more`] : []
  return new Conflict(`The assertion ${name} does not hold: ${[...told, ...more].join('; ')}`)
}

function requireKnown(name: string): AssertionName {
  const found = assertionNames.find(one => one === name)
  if (found) return found
  throw new NotFound(
    `There is no assertion ${name}.${didYouMean(name, assertionNames)} All: ${assertionNames.join(', ')}.`,
  )
}

async function rowsOf<Row>(db: Db, query: string): Promise<Row[]> {
  return (await sql.raw<Row>(query).execute(db)).rows
}

/** What must hold of every cloud; of one at rest, that its hosts agree with its database as well. */
async function sound({ life, db }: Look): Promise<Found> {
  const busy = (await rowsOf(db, unfinished)).length > 0
  const servers = await rowsOf<ServerSeen>(db, serversSeen)
  const away = life.hosts.filter(host => host.away).map(({ name }) => name)
  const unseen = new Set(servers.filter(({ host }) => host !== null && away.includes(host)).map(({ id }) => id))
  const problems = []
  for (const [invariant, query] of Object.entries({ ...always, ...(!busy && atRest) })) {
    if (notOurs.includes(invariant)) continue
    for (const row of await rowsOf<Record<string, unknown>>(db, query))
      if (invariant !== wired || !unseen.has(String(row.device_id))) problems.push(problemOf(invariant, row))
  }
  if (!busy) {
    const ports = await rowsOf<PortSeen>(db, portsSeen)
    // One that is away learns what it should be when it is back.
    for (const host of life.hosts) if (!host.away) problems.push(...agreement({ servers, ports }, host))
  }
  // What a host has to clean up when it is back is its server's in two places until then, on purpose.
  const waiting = new Set((await rowsOf<{ server_id: string }>(db, cleanups)).map(row => row.server_id))
  return problems
    .filter(({ ids }) => !ids.some(id => waiting.has(id)))
    .map(({ invariant, about, ids }) => ({ about: `${invariant}: ${about}`, ids }))
}

async function madeSince({ db, before, project }: Look): Promise<Thing[]> {
  const all = await thingsIn(db)
  return ofProject(newAmong(all, before), all, project)
}

/** `project` is an id or a name. */
function ofProject(things: Thing[], all: Thing[], project: string | undefined): Thing[] {
  if (project === undefined) return things
  const named = all.filter(({ kind, name }) => kind === 'project' && name === project).map(({ id }) => id)
  const ids = [project, ...named]
  return things.filter(({ project_id }) => project_id !== null && ids.includes(project_id))
}

const problemWith = (thing: Thing) => ({ about: shown(thing), ids: [thing.id] })
