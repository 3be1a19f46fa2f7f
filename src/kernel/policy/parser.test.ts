import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCheck } from './parser.ts'

const role = (name: string) => ({ type: 'role', match: [name] })
const parse = (text: string) => parseCheck('r', text)

test('and binds more than or, not more than and, brackets most', () => {
  assert.deepEqual(parse('role:a or role:b and not role:c'), {
    type: 'or',
    checks: [role('a'), { type: 'and', checks: [role('b'), { type: 'not', check: role('c') }] }],
  })
  assert.deepEqual(parse('(role:a OR role:b) AND role:c'), {
    type: 'and',
    checks: [{ type: 'or', checks: [role('a'), role('b')] }, role('c')],
  })
  assert.deepEqual(parse('not (role:a and ((role:b)))'), {
    type: 'not',
    check: { type: 'and', checks: [role('a'), role('b')] },
  })
})

test('each kind of check', () => {
  assert.deepEqual(parse('@'), { type: 'always' })
  assert.deepEqual(parse(''), { type: 'always' })
  assert.deepEqual(parse('!'), { type: 'never' })
  assert.deepEqual(parse('rule:os_compute_api:servers:show'), { type: 'rule', name: 'os_compute_api:servers:show' })
  assert.deepEqual(parse('project_id:%(target.project.id)s'), {
    type: 'credential',
    path: ['project_id'],
    match: [{ name: 'target.project.id' }],
  })
  assert.deepEqual(parse('token.project.domain.id:d-%(x)s-100%%'), {
    type: 'credential',
    path: ['token', 'project', 'domain', 'id'],
    match: ['d-', { name: 'x' }, '-100%'],
  })
  assert.deepEqual(parse("'a b':%(y)s"), { type: 'literal', value: 'a b', match: [{ name: 'y' }] })
  assert.deepEqual(parse('None:%(z)s'), { type: 'literal', value: 'None', match: [{ name: 'z' }] })
  assert.deepEqual(parse('field:networks:router:external=True'), {
    type: 'field',
    name: 'router:external',
    value: 'True',
  })
})

test('the list form: the outer list is or, an inner one and', () => {
  assert.deepEqual(parseCheck('r', [['role:a', 'role:b'], 'role:c', []]), {
    type: 'or',
    checks: [{ type: 'and', checks: [role('a'), role('b')] }, role('c')],
  })
  assert.deepEqual(parseCheck('r', []), { type: 'always' })
  assert.deepEqual(parseCheck('r', [[]]), { type: 'never' })
})

test('an error names the rule and the column', () => {
  const fails = (text: string, message: RegExp) => assert.throws(() => parse(text), message)
  fails('role:a and', /Policy rule "r", column 11: expected a check such as role:admin, found the end/)
  fails('role:a role:b', /column 8: expected "and", "or" or the end, found role:b/)
  fails('(role:a or role:b', /column 18: expected "and", "or" or a closing bracket/)
  fails('role:a)', /column 7/)
  fails('role:a or or role:b', /column 11: expected a check/)
  fails('  admin', /column 3: expected kind:match, found admin/)
  fails('project_id:%(project_id)', /column 12: expected %\(name\)s/)
  fails('role:a or http://policy.example/%(name)s', /column 11: http: checks .* not supported/)
  fails('https://x', /not supported/)
  fails('field:networks:shared', /field:resource:attribute=value/)
  fails('field:ports:device_owner=~(', /not a regular expression/)
  fails('rule:', /name of a rule/)
})

test('depth and length are bounded', () => {
  assert.throws(() => parse(`${'('.repeat(5000)}role:a${')'.repeat(5000)}`), /nested deeper than 64 levels/)
  assert.throws(() => parse(`${'not '.repeat(3000)}role:a`), /nested deeper/)
  assert.throws(() => parse(`role:${'a'.repeat(20_000)}`), /longer than/)
  assert.equal(parse(Array(1000).fill('role:a').join(' or ')).type, 'or')
})

test('any text either parses or fails with a syntax error', () => {
  const word = fc.constantFrom(
    'role:a',
    'rule:b',
    '(',
    ')',
    'and',
    'or',
    'not',
    '@',
    '!',
    "'x':%(y)s",
    '%',
    ':',
    ' ',
    "'",
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string()), { maxLength: 30 }), words => {
      try {
        parse(words.join(' '))
      } catch (error) {
        assert.equal((error as Error).name, 'PolicySyntaxError')
      }
    }),
    { seed: 7, numRuns: 500 },
  )
})
