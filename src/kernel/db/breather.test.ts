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
