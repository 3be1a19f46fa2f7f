/** Text filters: the parts of regular expressions that people use, in time that no pattern can stretch. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { likePatterns, matcher } from './name-pattern.ts'

const matches = (pattern: string, ...texts: string[]) => texts.filter(text => matcher(pattern)?.(text) ?? true)

test('what LIKE can say needs no second look', () => {
  for (const pattern of ['web', '^web.*1$', 'a|b', 'a\\.b', '.+x', ''])
    assert.equal(matcher(pattern), undefined, pattern)
})

test('classes, repeats and alternatives are matched as regular expressions do', () => {
  assert.deepEqual(matches('^.*\\-instance\\-[0-9]+$', 'x-instance-12', 'x-instance-', 'x-instance-1a'), [
    'x-instance-12',
  ])
  assert.deepEqual(matches('web[^0-9]', 'web1', 'web-1', 'WEBX'), ['web-1', 'WEBX'])
  assert.deepEqual(matches('^ab?c*$', 'a', 'ab', 'acc', 'abcc', 'abb'), ['a', 'ab', 'acc', 'abcc'])
  assert.deepEqual(matches('^[a-c]$|^x+$', 'b', 'd', 'xx', 'xy'), ['b', 'xx'])
  assert.deepEqual(matches('^v\\d+\\.\\w$', 'v12.a', 'v12xa', 'v.a'), ['v12.a'])
  assert.deepEqual(matches('^[]-]+$', ']-', 'a'), [']-'])
  assert.deepEqual(matches('^[\\w.]+[^.]$', 'a.b', 'a.', 'a-b'), ['a.b'])
  assert.deepEqual(likePatterns('[ab'), ['%[ab%'], 'a class without an end is text')
  assert.deepEqual(matches('^*a?$', '*', '*a', 'a'), ['*', '*a'], 'what repeats nothing is text')
})

test('a pattern made to be slow is not', () => {
  assert.deepEqual(matches(`^${'a*'.repeat(200)}[b]$`, 'a'.repeat(255)), [])
})
