/** A few kills of a real process; `npm run chaos` makes hundreds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingForClient } from '../journeys/stage.ts'
import { plan } from './plan.ts'

const [oneProcess] = plan

test('killed fifteen times at work and while it starts, the cloud keeps what it accepted and leaks nothing', {
  skip: missingForClient(),
  timeout: 540_000,
}, async t => {
  const said: string[] = []
  const outcome = await oneProcess!.run(15, {
    ...{ seed: 1, say: line => void said.push(line), failed() {}, stopped: () => false },
  })
  const { failure } = outcome
  if (failure) {
    const problems = failure.problems.map(({ invariant, about }) => `not so: ${invariant}: ${about}`)
    assert.fail(['npm run chaos -- --kills 15 --driver fake --seed 1', ...problems, ...failure.timeline].join('\n'))
  }
  assert.equal(
    [...outcome.done.values()].reduce((sum, count) => sum + count),
    15,
  )
  assert.ok(outcome.accepted.made > 10, said.join('\n'))
  t.diagnostic(`${outcome.requests} requests, ${outcome.checks} looks`)
})
