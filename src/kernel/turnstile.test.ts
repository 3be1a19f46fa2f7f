/** Who waits for a turn gets it in order, or leaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turnstile } from './turnstile.ts'

test('who gives up leaves at once, and the turn goes to the next', async () => {
  const inTurn = turnstile(1)
  const [first, abort] = [Promise.withResolvers<void>(), new AbortController()]
  const done: string[] = []
  const all = [
    inTurn(() => first.promise),
    inTurn(async () => void done.push('never'), abort.signal),
    inTurn(async () => void done.push('second')),
  ]
  abort.abort(new Error('no longer wanted'))
  await assert.rejects(all[1]!, /no longer wanted/)
  assert.equal(done.length, 0, 'the first is still at work')
  first.resolve()
  await Promise.all([all[0], all[2]])
  assert.equal(done.join(), 'second')
  await assert.rejects(
    inTurn(async () => void done.push('never'), abort.signal),
    /no longer wanted/,
  )
  await inTurn(async () => void done.push('third'))
  assert.equal(done.join(), 'second,third')
})
