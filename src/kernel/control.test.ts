/** Sagas that one process begins and another runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from '../../test/harness.ts'
import type { Bus } from './bus/bus.ts'
import { type Ctx, createCtx, type Env, systemIdentity } from './context.ts'
import { controlOver, serveControl } from './control.ts'
import { fine } from './health.ts'
import { createSagas } from './saga/engine.ts'
import { journal } from './saga/journal.ts'
import { anySaga, saga } from './saga/saga.ts'

const deaf = (bus: Bus): Bus => ({ ...bus, publish() {} })

/** Two processes on one database: one that begins sagas, over a bus that may lose hints, and one that runs them. */
async function stage(busOf: (bus: Bus) => Bus = bus => bus) {
  const cloud = await testCloud()
  const ran: string[] = []
  const gate = { open: Promise.resolve(), entered: () => {} }
  const definition = saga<{ name: string }>('test.work', { revision: 1, deadline: 60_000 }, async (s, { name }) => {
    await s.step(
      'work',
      async signal => {
        gate.entered()
        const stopped = new Promise<never>((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
        await Promise.race([gate.open, stopped])
        ran.push(name)
      },
      async () => void ran.push(`undo ${name}`),
    )
  })
  const signals: string[] = []
  const main: Env = {
    ...cloud.env,
    signal: id => void signals.push(id),
    get sagas() {
      return sagas
    },
  }
  const sagas = createSagas(() => main, [anySaga(definition)])
  // The harness's own cloud keeps the subject of control already.
  const bus: Bus = { ...cloud.env.bus, ...renamed(cloud.env.bus) }
  const served = serveControl({ ...main, bus, sagas }, { health: async () => fine, metrics: async () => [] })
  const control = controlOver(busOf(bus))
  const api = control.sagas([anySaga(definition)])
  const ctx = createCtx({ ...cloud.env, sagas: api }, { requestId: 'req-test', identity: systemIdentity })
  return {
    ctx,
    api,
    sagas,
    definition,
    ran,
    gate,
    signals,
    control,
    begin: (name: string) => ctx.transaction(tx => api.start(tx, definition, { name }, 'subject')),
    states: async () => (await journal.ofSubject(ctx.db, 'subject')).map(row => row.state).sort(),
    async [Symbol.asyncDispose]() {
      await sagas[Symbol.asyncDispose]()
      await served[Symbol.asyncDispose]()
      await cloud[Symbol.asyncDispose]()
    },
  }
}

/** The same bus with subjects of its own. */
function renamed(bus: Bus): Pick<Bus, 'serve' | 'call' | 'publish' | 'subscribe'> {
  return {
    serve: (subject, handler) => bus.serve(`test.${subject}`, handler),
    call: (subject, payload, options) => bus.call(`test.${subject}`, payload, options),
    publish: (subject, payload) => bus.publish(`test.${subject}`, payload),
    subscribe: (pattern, listener) => bus.subscribe(`test.${pattern}`, listener),
  }
}

test('what one process begins another runs at once, in the order of its subject', async () => {
  await using s = await stage()
  await s.begin('one')
  await s.begin('two')
  await s.api.idle('subject')
  assert.deepEqual(s.ran, ['one', 'two'])
  assert.deepEqual(await s.states(), ['done', 'done'])
})

test('what was rolled back is neither run nor cancelled', async () => {
  await using s = await stage()
  const rolledBack = (work: (tx: Ctx) => Promise<unknown>) =>
    assert.rejects(
      s.ctx.transaction(async tx => {
        await work(tx)
        throw new Error('no')
      }),
      /no/,
    )
  await rolledBack(tx => tx.sagas.start(tx, s.definition, { name: 'never' }, 'subject'))
  await s.begin('one')
  await rolledBack(tx => tx.sagas.cancel(tx, 'subject'))
  await s.api.idle('subject')
  assert.deepEqual(s.ran, ['one'])
})

test('a cancellation reaches the saga in the other process, which makes way', async () => {
  await using s = await stage()
  const entered = Promise.withResolvers<void>()
  s.gate.open = new Promise(() => {})
  s.gate.entered = entered.resolve
  await s.begin('one')
  await entered.promise
  await s.ctx.transaction(tx => tx.sagas.cancel(tx, 'subject'))
  await s.api.idle('subject')
  assert.deepEqual(s.ran, ['undo one'])
  assert.deepEqual(await s.states(), ['failed'])
})

test('where nothing is to be cancelled, nobody is told', async () => {
  const said: string[] = []
  await using s = await stage(bus => ({ ...bus, publish: subject => void said.push(subject) }))
  await s.ctx.transaction(tx => tx.sagas.cancel(tx, 'subject'))
  assert.deepEqual(said, [])
  await s.begin('one')
  await s.ctx.transaction(tx => tx.sagas.cancel(tx, 'subject'))
  assert.equal(said.length, 2)
})

test('when every hint is lost, the journal still has it', async () => {
  await using s = await stage(deaf)
  const entered = Promise.withResolvers<void>()
  s.gate.open = new Promise(() => {})
  s.gate.entered = entered.resolve
  await s.begin('one')
  await s.sagas.idle()
  assert.deepEqual(await s.states(), ['running'])
  await s.sagas.recover()
  await entered.promise
  await s.ctx.transaction(tx => tx.sagas.cancel(tx, 'subject'))
  await s.sagas.recover()
  await s.sagas.idle()
  assert.deepEqual(s.ran, ['undo one'])
})

test('a saga whose journal was read while it ended is not run again', async () => {
  await using s = await stage()
  await s.begin('one')
  for (let n = 0; n < 20; n++) await s.sagas.recover()
  await s.api.idle()
  assert.deepEqual(s.ran, ['one'])
})

test('reconcilers are asked for in the process that has them', async () => {
  await using s = await stage()
  s.control.signal('compute.host-cleanups')
  await s.control.health()
  assert.deepEqual(s.signals, ['compute.host-cleanups'])
})
