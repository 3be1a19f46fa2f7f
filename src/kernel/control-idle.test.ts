/** Waiting for the end of sagas that another process runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inProcessBus } from './bus/in-process.ts'
import { settle, virtualClock } from './clock.ts'
import { controlOver } from './control.ts'
import { Unavailable } from './errors.ts'
import { silentLog } from './log.ts'

function stage(answers: (() => unknown)[]) {
  const clock = virtualClock()
  const bus = inProcessBus(clock, silentLog())
  let asked = 0
  let ended: unknown
  const begin = () =>
    controlOver(bus)
      .sagas([])
      .idle('server')
      .then(
        () => (ended = 'idle'),
        error => (ended = error),
      )
  const serve = () =>
    bus.serve('kernel.control', async () => {
      asked++
      await answers.shift()?.()
      return { value: null }
    })
  return { clock, begin, serve, asked: () => asked, ended: () => ended }
}

const lost = () => new Promise<never>(() => {})

test('who waits for the end of sagas asks again when an answer is lost', async () => {
  const { clock, begin, serve, asked, ended } = stage([lost, lost])
  serve()
  void begin()
  await clock.advance(9_000)
  assert.equal(ended(), undefined)
  await clock.advance(2_000)
  assert.equal(ended(), 'idle')
  assert.equal(asked(), 3)
})

test('the process that keeps sagas may be away for a while', async () => {
  const { clock, begin, serve, ended } = stage([])
  void begin()
  await clock.advance(20_000)
  assert.equal(ended(), undefined)
  serve()
  await clock.advance(6_000)
  await settle()
  assert.equal(ended(), 'idle')
})

test('it is told when the work takes too long to wait for', async () => {
  const { clock, begin, ended } = stage([])
  void begin()
  await clock.advance(601_000)
  assert.ok(ended() instanceof Unavailable)
})
