/** Long lists leave turns to others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inTurns } from './turns.ts'

test('a long list is made in its order, in slices between which others have their turn', async () => {
  const items = Array.from({ length: 1001 }, (_, i) => i)
  let made = 0
  const seen = new Set<number>()
  let over = false
  const look = () => {
    seen.add(made)
    if (!over) setImmediate(look)
  }
  setImmediate(look)
  const double = await inTurns(items, item => {
    made++
    return 2 * item
  })
  over = true
  assert.deepEqual(
    double,
    items.map(item => 2 * item),
  )
  assert.deepEqual([...seen], [0, 200, 400, 600, 800, 1000, 1001])
})

test('a short list is made at once', async () => {
  let turned = false
  setImmediate(() => {
    turned = true
  })
  assert.deepEqual(await inTurns([1, 2, 3], item => item + 1), [2, 3, 4])
  assert.equal(turned, false)
})
