import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { breather } from './breather.ts'

test('a request begins soon though statements take all of every turn of the event loop', async () => {
  const clock = systemClock()
  const breathe = breather()
  let [turns, begun] = [0, false]
  function build() {
    breathe.statement()
    for (const began = clock.monotonic(); clock.monotonic() - began < 10; );
    if (!begun && ++turns < 30) setImmediate(build)
  }
  build()
  const request = breathe.request()
  assert.ok(request, 'it came when there was no time')
  await request
  begun = true
  assert.ok(turns < 5, `it began after ${turns} turns`)
})

test('those who are woken together go on one a turn when each takes long', async () => {
  const clock = systemClock()
  const breathe = breather()
  let [turn, over] = [0, false]
  const count = () => {
    turn++
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  const woken = Promise.withResolvers<void>()
  const turns = [1, 2, 3, 4, 5].map(async () => {
    await woken.promise.then(breathe.woken)
    const began = clock.monotonic()
    while (clock.monotonic() - began < 10);
    return turn
  })
  woken.resolve()
  assert.equal(new Set(await Promise.all(turns)).size, 5)
  over = true
})
