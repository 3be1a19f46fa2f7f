/** A process that is killed, as others on the bus see it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { nextTurn } from '../turns.ts'
import { NoResponder } from './bus.ts'
import { endableBus } from './endable.ts'
import { inProcessBus } from './in-process.ts'

const timeoutMs = 60_000

test('what a dead process served finds nobody, what it was asked before is never answered, and it hears and says nothing', async () => {
  await using bus = inProcessBus(systemClock(), silentLog())
  const mortal = endableBus(bus)
  const asked = Promise.withResolvers<void>()
  const work = Promise.withResolvers<string>()
  const heard: unknown[] = []
  mortal.serve('host.work', () => {
    asked.resolve()
    return work.promise
  })
  mortal.subscribe('news.>', message => void heard.push(message))
  bus.subscribe('from.host', message => void heard.push(message))
  bus.serve('control.report', () => 'taken')

  let outcome = 'none'
  const settled = (what: string) => () => {
    outcome = what
  }
  const patience = new AbortController()
  void bus.call('host.work', {}, { timeoutMs, signal: patience.signal }).then(settled('answer'), settled('error'))
  await asked.promise
  const reported = mortal.call('control.report', {}, { timeoutMs })
  void reported.then(settled('report'), settled('report'))
  mortal.end()
  work.resolve('done')
  mortal.publish('from.host', 'I live')
  mortal.serve('host.late', () => 'too late')
  bus.publish('news.today', 'somebody died')
  for (let turn = 0; turn < 5; turn++) await nextTurn()

  assert.equal(outcome, 'none')
  assert.deepEqual(heard, [])
  for (const subject of ['host.work', 'host.late'])
    await assert.rejects(bus.call(subject, {}, { timeoutMs }), NoResponder)
  patience.abort()
})

test('while it lives it is the bus that it stands on', async () => {
  await using bus = inProcessBus(systemClock(), silentLog())
  const mortal = endableBus(bus)
  const heard = Promise.withResolvers<unknown>()
  const served = mortal.serve('host.work', payload => ({ payload }))
  mortal.subscribe('news.>', heard.resolve)
  mortal.publish('news.today', 'all is well')
  assert.deepEqual(await mortal.call('host.work', 7, { timeoutMs }), { payload: 7 })
  assert.equal(await heard.promise, 'all is well')
  await served[Symbol.asyncDispose]()
  await assert.rejects(mortal.call('host.work', 7, { timeoutMs }), NoResponder)
})
