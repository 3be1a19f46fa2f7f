/** One run: steps chosen by the seed, invariants after each of them, rest and the whole check now and then. */
import { BadAnswer, type Clients, clientsOf, type Request } from './clients.ts'
import { type Chaos, chaosOf } from './faults.ts'
import { type Invariants, invariantsOf, type Problem } from './invariants.ts'
import { bundleActs } from './mix-bundles.ts'
import { extensionActs } from './mix-extension.ts'
import { guestActs } from './mix-guests.ts'
import { imageActs } from './mix-images.ts'
import { login, otherActs } from './mix-network.ts'
import { serverActs } from './mix-servers.ts'
import { volumeActs } from './mix-volumes.ts'
import { newWorld, type World } from './world.ts'

export interface RunOptions {
  seed: number
  steps: number
  /** Steps between two rests. */
  restEvery?: number
  /** Checks answers against their schemas as well. */
  validate?: boolean
}

export interface Failure {
  /** Steps that had been done. */
  step: number
  /** True when it showed at rest only: fewer steps may be enough. */
  atRest: boolean
  problems: Problem[]
  timeline: string[]
}

export interface Outcome {
  seed: number
  /** Steps of the mix. */
  steps: number
  /** All steps, those on the way to rest included. */
  events: number
  requests: number
  messages: number
  commits: number
  statuses: Map<number, number>
  reached: Map<string, number>
  /** Acts of the mix that were answered well. */
  done: Set<string>
  digest: string
  /** CPU milliseconds of the steps. */
  cpuMs: number
  failure?: Failure
}

/** No saga may take longer than a move: it waits six hours for a host that sends a guest, and whose answer may be lost. */
const restLimitMs = 8 * 3_600_000
/** Longer than any reconciler waits that repairs what is left. */
const restAtLeastMs = 11 * 60_000

/** After the last work; hosts have told what they are, and heard what they should be. */
const heardOfMs = 2 * 60_000

/** What clients do. */
export const acts = {
  ...serverActs,
  ...bundleActs,
  ...guestActs,
  ...imageActs,
  ...volumeActs,
  ...extensionActs,
  ...otherActs,
}
const weights = Object.fromEntries(Object.entries(acts).map(([name, [weight]]) => [name, weight]))

export async function run(options: RunOptions): Promise<Outcome> {
  const { seed, steps, restEvery = 1000 } = options
  const world = await newWorld(seed, options)
  const chaos = chaosOf(world)
  const clients = clientsOf(world, answer => chaos.excuses(answer))
  const stage = { world, chaos, clients, invariants: invariantsOf(world), done: new Set<string>(), events: 0 }
  const began = process.cpuUsage()
  let step = 0
  let failure: Failure | undefined
  try {
    for (const account of clients.accounts) clients.ask(account, login(account))
    await world.still()
    while (step < steps && !failure) {
      step++
      const rest = step % restEvery === 0 || step === steps
      failure = found(step, stage, await oneStep(stage), false)
      while (!failure && world.clock.now() < world.quietUntil)
        failure = found(step, stage, await passTime(stage), false)
      if (rest && !failure) failure = found(step, stage, await takeRest(stage), true)
    }
  } finally {
    endWorld(world)
  }
  const { user, system } = process.cpuUsage(began)
  return {
    ...{ seed, steps: step, events: stage.events, requests: clients.sent, messages: world.messages },
    ...{ commits: world.disk.commits, statuses: clients.statuses, reached: world.reached, done: stage.done },
    digest: world.timeline.digest(),
    cpuMs: (user + system) / 1000,
    ...(failure && { failure }),
  }
}

interface Stage {
  world: World
  chaos: Chaos
  clients: Clients
  invariants: Invariants
  done: Set<string>
  events: number
}

function found(step: number, { world }: Stage, problems: Problem[], atRest: boolean): Failure | undefined {
  if (problems.length === 0) return undefined
  const ids = problems.flatMap(problem => problem.ids).slice(0, 4)
  return { step, atRest, problems, timeline: world.timeline.shown(ids) }
}

/** A request, a fault, or the next thing that time brings; and all that follows at the same instant. */
async function oneStep(stage: Stage): Promise<Problem[]> {
  const { world, chaos, clients } = stage
  const { dice, clock } = world
  const next = clock.next() ?? clock.now() + 1000
  const soon = next - clock.now() < 1000
  if (clients.waiting < 12 && dice.chance(soon ? 0.25 : 0.6)) {
    if (dice.chance(0.1)) chaos.strike()
    else ask(stage)
    return settled(stage)
  }
  return passTime(stage)
}

/** To the next thing that time brings. */
async function passTime(stage: Stage): Promise<Problem[]> {
  const { clock } = stage.world
  await clock.advance((clock.next() ?? clock.now() + 1000) - clock.now())
  return settled(stage)
}

function ask({ world, clients, done }: Stage): void {
  const { dice } = world
  const account = dice.pick(clients.accounts)!
  const name = account.token === undefined ? 'tokens' : dice.weighted(weights)
  const wish = acts[name]![1](world, account)
  if (!wish) return
  const request: Request = {
    ...wish,
    heard(answer) {
      if (answer.status < 300) done.add(name)
      wish.heard?.(answer)
    },
  }
  clients.ask(account, request, { hangUp: dice.chance(0.02) })
  if (!dice.chance(0.05)) return
  world.reach('identical requests')
  clients.ask(account, request)
}

async function settled(stage: Stage): Promise<Problem[]> {
  const { world, clients, invariants } = stage
  stage.events++
  await world.still()
  const { wrong } = clients
  if (wrong instanceof BadAnswer) return [{ invariant: 'no request fails by itself', about: wrong.message, ids: [] }]
  if (wrong) return [{ invariant: 'no request breaks', about: wrong.stack ?? wrong.message, ids: [] }]
  return invariants.always()
}

/** Ends all faults, lets all work end, and checks everything. */
async function takeRest(stage: Stage): Promise<Problem[]> {
  const { world, chaos, clients, invariants } = stage
  const { clock, disk, timeline } = world
  timeline.note('* rest')
  await chaos.heal()
  const began = clock.now()
  let worked = began
  const busy = disk.connection.prepare(
    `select (select count(*) from kernel_sagas where state in ('running', 'unwinding')) + (select count(*) from compute_host_cleanups) n`,
  )
  let [seen, isBusy] = [-1, true]
  for (;;) {
    const past = clock.now() - began
    if (past > restLimitMs) break
    if (seen !== disk.commits) isBusy = busy.get()?.n !== 0
    seen = disk.commits
    if (clients.waiting > 0 || isBusy) worked = clock.now()
    if (past > restAtLeastMs && clock.now() - worked > heardOfMs) break
    const problems = await passTime(stage)
    if (problems.length > 0) return problems
  }
  timeline.note('* at rest')
  return invariants.atRest()
}

function endWorld(world: World): void {
  for (const { life } of [world.control, world.api, ...world.hosts]) life.kill()
  world.scheduler?.kill()
  world.disk.connection.close()
}

/** The shortest prefix that still fails; runs it again and again. */
export async function shortest(options: RunOptions, failure: Failure): Promise<Outcome> {
  let best = await run({ ...options, steps: failure.step })
  if (!failure.atRest) return best
  for (let low = 1, high = failure.step; low < high; ) {
    const middle = Math.floor((low + high) / 2)
    const outcome = await run({ ...options, steps: middle })
    if (outcome.failure) {
      best = outcome
      high = outcome.failure.step
    } else low = middle + 1
  }
  return best
}
