import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkSubject, matcher, subjectWord } from './bus.ts'

test('any name becomes one word of a subject', () => {
  for (const name of ['host-1', 'node1.example.com', 'a b', '*', '>', 'ü', 'a%2Eb']) {
    const subject = `compute.host.${subjectWord(name)}`
    checkSubject(subject)
    assert.equal(subject.split('.').length, 3)
  }
  assert.equal(subjectWord('host-1'), 'host-1')
  assert.notEqual(subjectWord('a.b'), subjectWord('a%2Eb'))
  assert.throws(() => subjectWord(''))
})

test('wildcards as in NATS', () => {
  const matches = (pattern: string, subject: string) => matcher(pattern)(subject)
  assert.equal(matches('a.*.c', 'a.b.c'), true)
  assert.equal(matches('a.*', 'a.b.c'), false)
  assert.equal(matches('a.>', 'a'), false)
  assert.equal(matches('a.>', 'a.b.c'), true)
  assert.equal(matches('*.>', 'a.b'), true)
  assert.equal(matches('>', 'a'), true)
})
