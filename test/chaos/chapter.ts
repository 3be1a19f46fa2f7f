/** A chapter of chaos: one cloud from its first start until everything in it has been deleted, whatever is done to it in between. */
import { type Dice, diceOf } from '../simulation/dice.ts'
import type { Problem } from '../simulation/invariants.ts'
import { type CheckOptions, leavesNothing, type Rest, untilAtRest } from './checks.ts'
import { type Clients, type ClientsOptions, employClients } from './clients.ts'
import { type ChaosCloud, type CloudOptions, openCloud } from './cloud.ts'
import type { Fault } from './faults.ts'
import { makeWitness, realClient, witnessLives } from './witness.ts'

export interface ChapterOptions extends CloudOptions {
  name: string
  seed: number
  clients: Omit<ClientsOptions, 'seed' | 'hosts'>
  check: CheckOptions
  /** Seconds after which nothing more is done to it. */
  seconds: number
  stopped: () => boolean
  say: (line: string) => void
}

export interface Outcome {
  name: string
  seed: number
  /** What was done to it, and how often. */
  done: Map<string, number>
  /** How often everything was looked at. */
  checks: number
  requests: number
  /** Answered with success: creations, deletions, other changes. */
  accepted: { made: number; deleted: number; other: number }
  statuses: Map<number, number>
  slowest: Rest
  failure?: Failure
}

export interface Failure {
  /** How many things had been done to it. */
  after: number
  problems: Problem[]
  timeline: string[]
}

export interface Chapter {
  readonly cloud: ChaosCloud
  readonly clients: Clients
  readonly dice: Dice
  readonly options: ChapterOptions
  /** Counts a thing that is done to it. */
  count(what: string): number
  timeIsUp(): boolean
  /** Waits for rest and looks at everything; throws what is wrong. */
  look(what: string): Promise<void>
}

/** What is not as it must be. */
export class Wrong extends Error {
  readonly problems: Problem[]
  constructor(problems: Problem[]) {
    super(problems.map(({ invariant, about }) => `${invariant}: ${about}`).join('\n'))
    this.problems = problems
  }
}

/** `failed` may look at the cloud before it is gone. */
export async function runChapter(
  options: ChapterOptions,
  story: (chapter: Chapter) => Promise<void>,
  failed: (cloud: ChaosCloud) => void,
): Promise<Outcome> {
  const outcome: Outcome = {
    ...{ name: options.name, seed: options.seed, done: new Map(), checks: 0, requests: 0 },
    ...{ accepted: { made: 0, deleted: 0, other: 0 }, statuses: new Map() },
    slowest: { ms: 0, last: '', problems: [] },
  }
  await using cloud = await openCloud(options)
  try {
    await cloud.start()
    const clients = await employClients(cloud, { ...options.clients, seed: options.seed, hosts: options.check.hosts })
    Object.assign(outcome, { accepted: clients.ledger.accepted, statuses: clients.statuses })
    await makeWitness(cloud, clients)
    const chapter = chapterOf(cloud, clients, options, outcome)
    await story(chapter).finally(() => {
      outcome.requests = clients.sent
    })
    const rest = await leavesNothing(cloud, clients, options.check)
    if (rest.problems.length > 0) throw new Wrong(rest.problems)
    options.say(
      `${options.name}: all is deleted, and ${rest.ms.toFixed(0)} ms later nothing of it is left${slow(rest)}`,
    )
  } catch (error) {
    const problems =
      error instanceof Wrong
        ? error.problems
        : [{ invariant: 'nothing breaks', about: (error as Error).stack ?? String(error), ids: [] }]
    const ids = problems.flatMap(problem => problem.ids).slice(0, 4)
    outcome.failure = { after: total(outcome), problems, timeline: cloud.timeline.shown(ids, 60) }
    failed(cloud)
  }
  return outcome
}

/** What a rest that took long waited for. */
const slow = ({ ms, last }: Rest) => (ms > 5000 ? ` (${last})` : '')

export const total = ({ done }: Outcome) => [...done.values()].reduce((sum, count) => sum + count, 0)

function chapterOf(cloud: ChaosCloud, clients: Clients, options: ChapterOptions, outcome: Outcome): Chapter {
  return {
    ...{ cloud, clients, options, dice: diceOf(options.seed) },
    count(what) {
      outcome.done.set(what, (outcome.done.get(what) ?? 0) + 1)
      return total(outcome)
    },
    timeIsUp: () => options.stopped() || cloud.now() > options.seconds * 1000,
    async look(what) {
      const rest = await untilAtRest(cloud, clients, options.check, () => witnessLives(clients))
      outcome.checks++
      if (rest.ms > outcome.slowest.ms) outcome.slowest = rest
      options.say(`${options.name}: ${what}; at rest after ${rest.ms.toFixed(0)} ms${slow(rest)}`)
      if (rest.problems.length > 0) throw new Wrong(rest.problems)
      if (outcome.checks % 15 === 0) await realClient(cloud, clients)
    },
  }
}

/** Each of the faults in turn, so many times, with a look after each. */
export const strikeWith =
  (faults: Fault[], rounds: number) =>
  async (chapter: Chapter): Promise<void> => {
    const { cloud, clients, dice } = chapter
    for (let round = 0; round < rounds; round++)
      for (const fault of faults) {
        if (chapter.timeIsUp()) return
        const number = chapter.count(fault.name)
        cloud.timeline.note(`* ${fault.name}`)
        const problems = await fault.strike(cloud, clients, dice)
        if (problems.length > 0) throw new Wrong(problems)
        await chapter.look(`${number}: ${fault.name}`)
      }
  }
