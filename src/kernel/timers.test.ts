import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timersInOrder, type Waiting } from './timers.ts'

test('timers come in order, those of one time as they were added, without those that were taken out', () => {
  const timers = timersInOrder()
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  let left: Waiting[] = []
  const inOrder = () => left.toSorted((a, b) => a.at - b.at)
  for (let i = 0; i < 2000; i++) {
    if (random(3) > 0 || left.length === 0) left.push(timers.add(random(50), () => {}))
    else {
      const gone = left[random(left.length)]!
      left = left.filter(timer => timer !== gone)
      timers.remove(gone)
      timers.remove(gone)
    }
    assert.equal(timers.size, left.length)
    assert.equal(timers.next(), inOrder()[0])
  }
  for (const timer of inOrder()) {
    assert.equal(timers.next(), timer)
    timers.remove(timer)
  }
  assert.equal(timers.next(), undefined)
})
