/** Runs of the whole cloud by fixed seeds: every invariant holds, every kind of fault was met, and a seed is always the same run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepAlive } from '../../src/kernel/clock.ts'
import { services } from '../../src/services.ts'
import { menu } from './faults.ts'
import { readerOf } from './invariants.ts'
import { writesIn } from './life.ts'
import { actions } from './mix-servers.ts'
import { acts, type Outcome, run } from './run.ts'

const seeds = [1, 2, 3, 4, 5, 6, 10, 11]
const steps = 1200

const reached = new Set<string>()
const done = new Set<string>()

function failureOf({ seed, failure }: Outcome): string {
  if (!failure) return ''
  const problems = failure.problems.map(({ invariant, about }) => `not so: ${invariant}: ${about}`)
  const again = `npm run simulate -- --seed ${seed} --steps ${failure.step}`
  return [again, ...problems, ...failure.timeline].join('\n')
}

for (const seed of seeds)
  test(`seed ${seed}: whatever goes wrong, nothing is lost, leaked or stuck`, async () => {
    using _alive = keepAlive()
    const outcome = await run({ seed, steps, restEvery: steps })
    for (const fault of outcome.reached.keys()) reached.add(fault)
    for (const act of outcome.done) done.add(act)
    if (outcome.failure) assert.fail(failureOf(outcome))
    assert.ok(outcome.requests > 100 && outcome.commits > 500, 'the cloud was at work')
  })

test('every kind of fault was met', () => {
  assert.deepEqual(
    menu.filter(fault => !reached.has(fault)),
    [],
  )
})

test('clients succeeded with everything that they do', () => {
  assert.deepEqual(
    Object.keys(acts).filter(act => !done.has(act)),
    [],
  )
})

test('the same seed is the same run', async () => {
  using _alive = keepAlive()
  const [first, second] = [await run({ seed: 99, steps: 300 }), await run({ seed: 99, steps: 300 })]
  assert.equal(first.digest, second.digest)
  const other = await run({ seed: 98, steps: 300 })
  assert.notEqual(first.digest, other.digest)
})

test('an invariant is looked at again when a statement wrote what it names', () => {
  const reads = readerOf(
    'select s.id from compute_servers s join compute_hosts h on h.name = s.host where s.task_state is null',
  )
  const isRead = (sql: string) => reads(new Set(writesIn(sql)))
  const seen = [
    'insert into "compute_servers" ("id") values (?)',
    'delete from "compute_hosts" where "id" = ?',
    'update "compute_servers" set "updated_at" = ?, "task_state" = ? where "id" = ?',
    'update compute_hosts set last_seen = last_seen + 1',
    'vacuum',
  ]
  const unseen = [
    'select * from "compute_servers"',
    'insert into "kernel_events" ("id") values (?)',
    'update "compute_hosts" set "machine" = ?, "last_seen" = ? where "id" = ?',
    'update "network_ports" set "name" = ? where "id" = ?',
  ]
  assert.deepEqual([...seen, ...unseen].filter(isRead), seen)
})

test('clients know every action that servers have', () => {
  const known = services
    .flatMap(service => service.operations)
    .filter(operation => operation.path.endsWith('/servers/{server_id}/action'))
    .flatMap(operation => operation.action ?? [])
  assert.ok(known.length > 20)
  assert.deepEqual(
    known.filter(action => !(action in actions)),
    [],
  )
})
