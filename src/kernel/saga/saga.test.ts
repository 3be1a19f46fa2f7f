/** Sagas: what was begun ends, whatever happens in between. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { testCloud } from '../../../test/harness.ts'
import type { Clock } from '../clock.ts'
import { createCtx, type Env, systemIdentity } from '../context.ts'
import type { Database } from '../db/database.ts'
import { beginning } from '../events/events.ts'
import { createSagas } from './engine.ts'
import { journal } from './journal.ts'
import type { ProbePoint, SagaProbe } from './run.ts'
import { anySaga, type SagaError, saga } from './saga.ts'

/** A world outside the database, where effects can be seen: a set of things that exist. */
interface World {
  things: Set<string>
  log: string[]
  errors: SagaError[]
}

const stepNames = ['make a', 'make b', 'note c', 'make d']

function buildSaga(world: World) {
  const make = (name: string) => async () => {
    world.things.add(name)
    world.log.push(`+${name}`)
    return name
  }
  const unmake = (name: string) => async () => {
    world.things.delete(name)
    world.log.push(`-${name}`)
  }
  return saga<{ server: string }>(
    'test.build',
    { revision: 1, deadline: 60_000, failed: async (_ctx, _input, error) => void world.errors.push(error) },
    async s => {
      const a = await s.step('make a', make('a'), unmake('a'))
      assert.equal(a, 'a')
      await s.step('make b', make('b'), unmake('b'))
      await s.record('note c', ctx => ctx.events.emit(ctx, 'test.c', 'server', {}))
      await s.step('make d', make('d'), unmake('d'))
    },
  )
}

/** A cloud whose saga engine can be thrown away and made anew on the same database, as a crash does. */
async function stage(probe: SagaProbe = () => {}, sleep?: Clock['sleep'], build = buildSaga) {
  const cloud = await testCloud()
  const world: World = { things: new Set(), log: [], errors: [] }
  const definition = build(world)
  const engine = (p: SagaProbe) => {
    const env: Env = {
      ...cloud.env,
      clock: sleep ? { ...cloud.env.clock, sleep } : cloud.env.clock,
      get sagas() {
        return sagas
      },
    }
    const sagas = createSagas(() => env, [anySaga(definition)], p)
    return { sagas, ctx: () => createCtx(env, { requestId: 'req-test', identity: systemIdentity }) }
  }
  return { cloud, world, definition, engine, first: engine(probe) }
}

const states = async (ctx: ReturnType<typeof createCtx>) =>
  (await journal.ofSubject(ctx.db, 'server')).map(row => row.state)

/** A promise that never settles: what a killed process looks like from inside. */
const killed = () => new Promise<never>(() => {})

test('a saga runs its steps once, in order, and is journaled', async () => {
  const { cloud, world, definition, first } = await stage()
  await using _cloud = cloud
  const ctx = first.ctx()
  const id = await ctx.transaction(tx => first.sagas.start(tx, definition, { server: 'server' }, 'server'))
  await first.sagas.idle()
  assert.deepEqual([...world.things], ['a', 'b', 'd'])
  assert.deepEqual(await states(ctx), ['done'])
  assert.deepEqual(
    (await journal.steps(ctx.db, id)).map(s => [s.name, s.state]),
    stepNames.map(n => [n, 'done']),
  )
})

test('a rolled back transaction starts no saga', async () => {
  const { cloud, world, definition, first } = await stage()
  await using _cloud = cloud
  const ctx = first.ctx()
  const failed = ctx.transaction(async tx => {
    await first.sagas.start(tx, definition, { server: 'server' }, 'server')
    throw new Error('no')
  })
  await assert.rejects(failed, /no/)
  await first.sagas.idle()
  assert.deepEqual(await states(ctx), [])
  assert.equal(world.things.size, 0)
})

for (const name of stepNames) {
  test(`failing at "${name}" leaves nothing`, async () => {
    const reached: ProbePoint[] = []
    const { cloud, world, definition, first } = await stage(point => {
      if (point.step === name && point.at === 'before') {
        reached.push(point)
        throw new Error('injected')
      }
    })
    await using _cloud = cloud
    const ctx = first.ctx()
    await first.sagas.start(ctx, definition, { server: 'server' }, 'server')
    await first.sagas.idle()
    assert.equal(reached.length, 1, 'the injection was reached')
    assert.deepEqual([...world.things], [])
    assert.deepEqual(await states(ctx), ['failed'])
    assert.equal(world.errors[0]?.message, 'injected')
    assert.equal(world.errors[0]?.step, name)
  })

  for (const at of ['before', 'acted', 'journaled'] as const) {
    if (name === 'note c' && at === 'acted') continue
    test(`a crash ${at} "${name}" is taken up by the next process`, async () => {
      let reached = 0
      const { cloud, world, definition, engine, first } = await stage(point => {
        if (point.step === name && point.at === at) {
          reached++
          return killed()
        }
      })
      await using _cloud = cloud
      await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
      while (reached === 0) await new Promise(resolve => setImmediate(resolve))
      const second = engine(() => {})
      await second.sagas.recover()
      await second.sagas.idle()
      assert.deepEqual([...world.things].sort(), ['a', 'b', 'd'])
      assert.deepEqual(await states(second.ctx()), ['done'])
      // It is journaled with what is written next.
      assert.equal(world.log.filter(line => line === '+a').length, name === 'make a' && at !== 'before' ? 2 : 1)
      assert.equal(
        (await second.ctx().events.since(second.ctx(), beginning, { limit: 10 })).length,
        1,
        'the database step was done exactly once',
      )
    })
  }

  test(`a crash while undoing because "${name}" failed goes on undoing`, async () => {
    let reached = 0
    const { cloud, world, definition, engine, first } = await stage(point => {
      if (point.step === name && point.at === 'acted') throw new Error('injected')
      if (point.step === name && point.at === 'journaled') throw new Error('injected')
      if (point.at === 'undo' && ++reached === 1) return killed()
    })
    await using _cloud = cloud
    await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
    while (reached === 0) await new Promise(resolve => setImmediate(resolve))
    const second = engine(() => {})
    await second.sagas.recover()
    await second.sagas.idle()
    assert.deepEqual([...world.things], [])
    assert.deepEqual(await states(second.ctx()), ['failed'])
  })
}

test('a cancelled saga makes way and unwinds before the next of its subject runs', async () => {
  let reached = 0
  const { cloud, world, definition, first } = await stage(async point => {
    if (point.step === 'make b' && point.at === 'acted' && ++reached === 1) {
      const ctx = first.ctx()
      await ctx.transaction(async tx => {
        await first.sagas.cancel(tx, 'server')
        await first.sagas.start(tx, definition, { server: 'server' }, 'server')
      })
    }
  })
  await using _cloud = cloud
  await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
  await first.sagas.idle()
  assert.deepEqual(world.log, ['+a', '+b', '-b', '-a', '+a', '+b', '+d'])
  assert.equal(world.errors[0]?.cancelled, true)
})

test('another process takes up sagas of a subject in the order in which they began, whatever the clocks said', async () => {
  const { cloud, definition, first } = await stage(killed)
  await using _cloud = cloud
  const ids: string[] = []
  for (const now of [5, 5, 5, 9, 1, 1]) {
    const clock = { ...cloud.env.clock, now: () => now }
    ids.push(await first.sagas.start({ ...first.ctx(), clock }, definition, { server: 'server' }, 'server'))
  }
  const unfinished = await journal.unfinishedOf(first.ctx().db, 'server')
  assert.deepEqual(
    unfinished.map(({ id }) => id),
    ids,
  )
})

test('a saga waits for one of its subject that another process began before, and of which nothing was heard yet', async () => {
  const { cloud, world, definition, engine, first } = await stage(killed)
  await using _cloud = cloud
  const earlier = await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
  const second = engine(() => {})
  await second.ctx().transaction(async tx => {
    await second.sagas.cancel(tx, 'server')
    await second.sagas.start(tx, definition, { server: 'server' }, 'server')
  })
  await second.sagas.idle('server')
  assert.equal((await journal.get(cloud.env.database.root, earlier))!.state, 'failed')
  assert.deepEqual(world.log, ['-a', '+a', '+b', '+d'], 'first what may have been done was undone')
  assert.deepEqual((await states(second.ctx())).sort(), ['done', 'failed'])
})

test('a database that cannot be written holds a saga up wherever it is, and fails no step', async () => {
  const breaks = ['make a acted', 'note c before', 'make d journaled']
  const waits: number[] = []
  const writable = (database: Database, is: boolean) =>
    sql`pragma query_only = ${sql.raw(is ? 'off' : 'on')}`.execute(database.root)
  const { cloud, world, definition, first } = await stage(
    async ({ step, at }) => {
      if (breaks[0] !== `${step} ${at}`) return
      breaks.shift()
      await writable(cloud.env.database, false)
    },
    async ms => {
      waits.push(ms)
      await writable(cloud.env.database, true)
    },
  )
  await using _cloud = cloud
  await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
  await first.sagas.idle()
  assert.deepEqual([await states(first.ctx()), world.errors], [['done'], []])
  assert.deepEqual(world.log, ['+a', '+b', '+d'], 'nothing is done again')
  assert.equal(waits.length, 3, 'each of the three was waited out')
})

test('the journal keeps the step that failed, why, and every undo, of what was claimed before the first too', async () => {
  for (const at of ['before', 'acted', 'journaled'] as const) {
    const { cloud, definition, first } = await stage(point => {
      if (point.step === 'make d' && point.at === at) throw new Error('injected')
    })
    await using _cloud = cloud
    definition.failed = async (_ctx, _input, _error, undo) => {
      await undo('claim x', async () => {})
      await undo('claim y', async () => 0)
    }
    const id = await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
    await first.sagas.idle()
    assert.deepEqual(
      (await journal.steps(first.ctx().db, id)).map(step => [
        step.name,
        step.state,
        step.error,
        step.undone_at !== null,
      ]),
      [
        ['claim x', 'undone', null, true],
        ['make a', 'undone', null, true],
        ['make b', 'undone', null, true],
        ['note c', 'done', null, false],
        ['make d', 'undone', 'injected', true],
      ],
    )
  }
})

test('what comes of a step may fail: the journal says so with it, and after a crash nothing is undone twice', async () => {
  let crash = true
  const undone: string[] = []
  const cloud = await testCloud()
  await using _cloud = cloud
  const definition = saga<object>('test.claim', { revision: 1, deadline: 60_000 }, async s => {
    const found = await s.record(
      'claim',
      async () => 'nothing free',
      async (_ctx, output) => void undone.push(output),
    )
    await s.step(
      'wait',
      async () => {},
      async () => void undone.push('wait'),
    )
    throw new Error(found)
  })
  const engine = () =>
    createSagas(
      () => cloud.env,
      [anySaga(definition)],
      point => (point.at === 'undo' && crash ? killed() : undefined),
    )
  const ctx = cloud.ctx()
  const id = await engine().start(ctx, definition, {}, 'server')
  const steps = async () => (await journal.steps(ctx.db, id)).map(step => [step.name, step.state, step.error])
  while ((await journal.get(ctx.db, id))!.state !== 'unwinding') await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(await steps(), [
    ['claim', 'done', null],
    ['wait', 'done', 'nothing free'],
  ])
  crash = false
  const second = engine()
  await second.recover()
  await second.idle()
  assert.deepEqual(await steps(), [
    ['claim', 'undone', null],
    ['wait', 'undone', 'nothing free'],
  ])
  assert.deepEqual(undone, ['wait', 'nothing free'])
})

/** One effect, and a record that ends it. */
const shortSaga = (world: World) =>
  saga<{ server: string }>(
    'test.short',
    { revision: 1, deadline: 60_000, failed: async (_ctx, _input, error) => void world.errors.push(error) },
    async s => {
      await s.step(
        'make a',
        async () => void world.log.push('+a'),
        async () => void world.log.push('-a'),
      )
      await s.last('note b', ctx => ctx.events.emit(ctx, 'test.b', 'server', {}))
    },
  )

test('a step, the record after it and the end of the saga are one transaction', async () => {
  const seen: unknown[] = []
  const { cloud, world, definition, first } = await stage(
    async ({ step, at, ctx }) => {
      const [row] = await journal.ofSubject(ctx.db, 'server')
      const steps = await journal.steps(ctx.db, row!.id)
      seen.push([step, at, row!.state, steps.map(({ name }) => name)])
      if (step === 'note b' && at === 'journaled') throw new Error('too late to fail')
    },
    undefined,
    shortSaga,
  )
  await using _cloud = cloud
  await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
  await first.sagas.idle()
  assert.deepEqual(seen, [
    ['make a', 'before', 'running', []],
    ['make a', 'acted', 'running', []],
    ['make a', 'journaled', 'running', []],
    ['note b', 'before', 'running', []],
    ['note b', 'journaled', 'done', ['make a', 'note b']],
  ])
  assert.deepEqual([world.log, world.errors], [['+a'], []])
})

test('a step that is done is journaled when the process stops before what would have followed', async () => {
  const reached = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const { cloud, world, definition, engine, first } = await stage(
    async ({ at }) => {
      if (at !== 'acted') return
      reached.resolve()
      await go.promise
    },
    undefined,
    shortSaga,
  )
  await using _cloud = cloud
  await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
  await reached.promise
  const stopped = first.sagas[Symbol.asyncDispose]()
  go.resolve()
  await stopped
  const second = engine(() => {})
  await second.sagas.recover()
  await second.sagas.idle()
  assert.deepEqual([world.log, await states(second.ctx())], [['+a'], ['done']])
})

test('an undo that fails is tried again until it works', async () => {
  let failures = 2
  const { cloud, world, definition, first } = await stage(point => {
    if (point.step === 'make d' && point.at === 'before') throw new Error('injected')
    if (point.step === 'make a' && point.at === 'undo' && failures-- > 0) throw new Error('not now')
  })
  await using _cloud = cloud
  await first.sagas.start(first.ctx(), definition, { server: 'server' }, 'server')
  await first.sagas.idle()
  assert.deepEqual([...world.things], [])
  assert.deepEqual(await states(first.ctx()), ['failed'])
  assert.ok(failures < 0)
})
