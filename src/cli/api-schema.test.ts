/** Only versions that a service has are written down, and what has no schema is not passed over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { services } from '../services.ts'
import { apiSchema, versionOf } from './api-schema.ts'

const service = (type: string) => services.find(one => one.type === type)!

test('a version that the service does not have is refused, with those that there are', () => {
  assert.equal(versionOf(service('compute'), '2.90'), '2.90')
  for (const text of ['2.9999', '1.0', '2.090', 'latest'])
    assert.throws(() => versionOf(service('compute'), text), /compute has no version .*: say one from 2\.1 to 2\.\d+/)
  assert.throws(() => versionOf(service('network'), '2.0'), /network has no versions/)
})

test('a route without a schema fails the command, which names it and what it lacks, and prints the rest (S-017)', async t => {
  const printed: string[] = []
  const said: string[] = []
  t.mock.method(console, 'log', (text: string) => printed.push(text))
  t.mock.method(console, 'error', (text: string) => said.push(text))
  const at = { path: '/v1/things', policy: 'authenticated', handle: async () => undefined } as const
  const things = [
    operation({ ...at, id: 'event.things.create', method: 'POST', summary: 'Make a thing' }),
    operation({ ...at, id: 'event.things.list', method: 'GET', summary: 'List things' }),
    operation({ ...at, id: 'event.things.replace', method: 'PUT', summary: 'Replace', request: Type.Object({}) }),
  ]
  const event = service('event')
  const asked = { service: 'event', version: undefined, data: '' }
  assert.equal(await apiSchema(asked, async () => [event]), 0)
  assert.deepEqual(said, [])
  const code = await apiSchema(asked, async () => [{ ...event, operations: [...event.operations, ...things] }])
  assert.equal(code, 1)
  assert.deepEqual(said, [
    '2 routes have no schema of their own:\n  event.things.create: request\n  event.things.list: response',
  ])
  const { paths } = JSON.parse(printed.at(-1)!)
  assert.ok(paths['/v1/events'].get && paths['/v1/things'].put)
})
