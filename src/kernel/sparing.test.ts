/** A line that comes again and again is written once in a while. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from './clock.ts'
import { sparing } from './sparing.ts'

test('one line of a kind a minute, and how many were left out', async () => {
  const clock = virtualClock()
  const say = sparing(clock)
  assert.deepEqual(say('a'), {})
  assert.deepEqual([say('a'), say('a'), say('b')], [undefined, undefined, {}])
  await clock.advance(59_999)
  assert.equal(say('a'), undefined)
  await clock.advance(1)
  assert.deepEqual([say('a'), say('a')], [{ unsaid: 3 }, undefined])
  await clock.advance(60_000)
  assert.deepEqual(say('b'), {})
})

test('of endless kinds only so many are remembered', () => {
  const say = sparing(virtualClock())
  for (let n = 0; n < 1001; n++) say(`kind ${n}`)
  assert.deepEqual([say('kind 1000'), say('kind 0')], [undefined, {}])
})
