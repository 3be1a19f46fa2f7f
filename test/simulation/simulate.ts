/** `npm run simulate -- --seed N --steps M`: a run of the whole cloud; a failure prints its shortest prefix and the timeline. */
import { parseArgs } from 'node:util'
import { keepAlive } from '../../src/kernel/clock.ts'
import { type Outcome, run, shortest } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2000' },
    /** So many seeds from the first. */
    runs: { type: 'string', default: '1' },
    validate: { type: 'boolean', default: false },
  },
})

function told({ seed, steps, events, requests, messages, commits, cpuMs, digest }: Outcome): string {
  const speed = Math.round((events / cpuMs) * 1000)
  return `seed ${seed}: ${steps} steps (${events} with those to rest), ${requests} requests, ${messages} messages, ${commits} commits; ${speed} steps a CPU second; digest ${digest}`
}

const counted = (counts: Map<unknown, number>) =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

using _alive = keepAlive()
for (let seed = Number(values.seed), last = seed + Number(values.runs); seed < last; seed++) {
  const options = { seed, steps: Number(values.steps), validate: values.validate }
  const outcome = await run(options)
  console.log(told(outcome))
  console.log(`  answers: ${counted(outcome.statuses)}\n  faults: ${counted(outcome.reached)}`)
  if (!outcome.failure) continue
  const { failure } = await shortest(options, outcome.failure)
  const { step, problems, timeline } = failure ?? outcome.failure
  console.log(`FAILED: npm run simulate -- --seed ${seed} --steps ${step}`)
  for (const { invariant, about } of problems) console.log(`  not so: ${invariant}: ${about}`)
  console.log(timeline.map(line => `  ${line}`).join('\n'))
  process.exitCode = 1
}
