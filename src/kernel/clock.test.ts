/** Virtual time: timers fire in the order of their times, and of those of one time in the order in which they were set. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from './clock.ts'
import { seededIds } from './ids.ts'

test('timers fire in order, whatever the order in which they were set and cancelled', async () => {
  const clock = virtualClock()
  const { random } = seededIds('timers')
  const fired: number[] = []
  const timers = Array.from({ length: 300 }, (_, number) => {
    const ms = Math.floor(random() * 40)
    return { number, ms, timer: clock.after(ms, () => void fired.push(number)) }
  })
  const left = timers.filter(({ timer }) => {
    const stays = random() < 0.7
    // The second time is nothing.
    if (!stays) for (let i = 0; i < 2; i++) timer.cancel()
    return stays
  })
  assert.equal(clock.pending(), left.length)
  const expected = left.toSorted((a, b) => a.ms - b.ms || a.number - b.number)
  assert.equal(clock.next(), clock.now() + expected[0]!.ms)
  await clock.advance(19)
  assert.deepEqual(
    fired,
    expected.filter(({ ms }) => ms <= 19).map(({ number }) => number),
  )
  await clock.runUntilIdle()
  assert.deepEqual(
    fired,
    expected.map(({ number }) => number),
  )
  for (const { timer } of timers) timer.cancel()
  assert.deepEqual([clock.pending(), clock.next()], [0, undefined])
})

test('a timer that fires may set and cancel others', async () => {
  const clock = virtualClock()
  const fired: string[] = []
  clock.after(10, () => {
    fired.push('first')
    never.cancel()
    clock.after(0, () => void fired.push('at once'))
  })
  const never = clock.after(20, () => void fired.push('never'))
  clock.after(10, () => void fired.push('second'))
  await clock.advance(30)
  assert.deepEqual(fired, ['first', 'second', 'at once'])
})
