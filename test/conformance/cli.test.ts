/** The openstack client's commands, group by group, judged against the list of known failures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fill, parseJourneys } from './cli/journeys.ts'
import { allJourneys } from './cli/mode.ts'
import { absentPrograms, conformance } from './command.ts'

test('journeys are read as they are written', () => {
  const [journey] = parseJourneys(
    '# server group (admin)\n\nx := thing make --name "a b" one -> id=7 "two words"\n! thing show -> gone\n',
  )
  assert.deepEqual([journey?.group, journey?.as], ['server group', 'nephos-admin'])
  assert.deepEqual(journey?.steps, [
    {
      words: ['thing', 'make', '--name', 'a b', 'one'],
      members: { id: '7' },
      shows: ['two words'],
      called: 'x',
      line: 3,
    },
    { words: ['thing', 'show'], members: {}, shows: [], fails: 'gone', line: 4 },
  ])
  assert.equal(fill('a{x.id}', new Map([['x', { id: 7 }]])), 'a7')
  assert.equal(fill('{l.1.a b}', new Map([['l', [{}, { 'a b': 7 }] as never]])), '7')
  assert.throws(() => fill('{y.id}', new Map()), /not known/)
})

test('a group has one journey', () => {
  const groups = allJourneys().map(journey => journey.group)
  assert.deepEqual(groups, [...new Set(groups)])
})

test('the openstack client, group by group', { skip: absentPrograms(['openstack']), timeout: 900_000 }, async () => {
  const { code, out } = await conformance(['cli', '--dry'])
  assert.equal(
    code,
    0,
    out
      .split('\n')
      .filter(line => !/^passed /.test(line))
      .join('\n'),
  )
})
