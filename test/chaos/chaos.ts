/** `npm run chaos -- [--kills N] [--driver fake|qemu] [--chapter NAME] [--seed S]`: real clouds, killed and starved; what they accepted must hold. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Outcome, total } from './chapter.ts'
import type { ChaosCloud } from './cloud.ts'
import { chosen, type Driver, plan } from './plan.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    driver: { type: 'string' },
    /** One of the plan's, by its name. */
    chapter: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
})

const began = performance.now()
const say = (line: string) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} ${line}`)

/** The data directory of a cloud in which something is wrong stays. */
function keep(cloud: ChaosCloud): void {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-chaos-failed-'))
  try {
    execFileSync('cp', ['-a', `${cloud.file()}/.`, folder], { stdio: ['ignore', 'ignore', 'pipe'] })
    say(`the data directory is kept: ${folder}`)
  } catch (error) {
    // What is wrong is told all the same.
    say(`the data directory was not kept whole in ${folder}: ${String(error)}`)
  }
}

function tell({ name, seed, done, checks, requests, accepted, statuses, slowest, failure }: Outcome): void {
  const counted = (counts: Map<unknown, number>) => [...counts].map(([what, count]) => `${what} ${count}`).join(', ')
  const { made, deleted, other } = accepted
  say(`${name}: ${counted(done)}; ${checks} times all was looked at`)
  say(`  ${requests} requests: ${made} things made, ${deleted} deleted, ${other} other changes accepted`)
  say(`  answers: ${counted(new Map([...statuses].sort(([a], [b]) => a - b)))}`)
  say(`  the slowest rest took ${(slowest.ms / 1000).toFixed(1)} s${slowest.last && ` (${slowest.last})`}`)
  if (!failure) return
  say(`FAILED: npm run chaos -- --chapter '${name}' --seed ${seed}, after ${failure.after}`)
  for (const { invariant, about } of failure.problems.slice(0, 20)) console.log(`  not so: ${invariant}: ${about}`)
  console.log(failure.timeline.map(line => `  ${line}`).join('\n'))
  process.exitCode = 1
}

const names = plan.map(({ name }) => name)
if (values.driver !== undefined && !['fake', 'qemu'].includes(values.driver))
  throw new Error('--driver is fake or qemu')
if (values.chapter !== undefined && !names.includes(values.chapter))
  throw new Error(`--chapter is one of: ${names.join(', ')}`)
let stopped = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    stopped = true
    say('stopping: this cloud is looked at and cleared away first')
  })
const seed = Number(values.seed)
say(`seed ${seed}`)
const outcomes: Outcome[] = []
const kills = values.kills === undefined ? undefined : Number(values.kills)
for (const [chapter, count] of chosen(values.driver as Driver | undefined, kills, values.chapter)) {
  const missing = chapter.missing()
  if (missing) {
    say(`SKIPPED ${chapter.name}: ${missing}`)
    continue
  }
  if (stopped) break
  const outcome = await chapter.run(count, { seed, say, failed: keep, stopped: () => stopped })
  outcomes.push(outcome)
  tell(outcome)
}
const failures = outcomes.filter(({ failure }) => failure)
const done = outcomes.reduce((sum, outcome) => sum + total(outcome), 0)
say(
  `${done} kills and faults, ${failures.length} of ${outcomes.length} chapters failed${failures.map(({ name }) => `: ${name}`).join('')}`,
)
