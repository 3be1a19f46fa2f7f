/** Microversion marks and validation. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TSchema, Type } from './builders.ts'
import { byVersion, prune, schemaAt, since, until, unversioned } from './marks.ts'
import { fitsPlainly } from './plainly.ts'
import { problemOf } from './validate.ts'
import { ordinal } from './version.ts'

const server = Type.Object(
  {
    server: Type.Object(
      {
        name: Type.String({ minLength: 1, maxLength: 8, format: 'name' }),
        tags: since('2.52', Type.Array(Type.String(), { maxItems: 2 })),
        personality: until('2.56', Type.Array(Type.Unknown())),
        networks: byVersion(
          { '2.1': Type.Array(Type.Unknown()), '2.37': Type.Union([Type.Array(Type.Unknown()), Type.Literal('auto')]) },
          Type.Unknown(),
        ),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)

const at = (version: string, body: unknown) => problemOf(schemaAt(server, ordinal(version)), body)

test('a field exists in its versions only', () => {
  assert.equal(at('2.52', { server: { name: 'a', networks: [], tags: [] } }), undefined)
  assert.match(
    at('2.51', { server: { name: 'a', networks: [], tags: [] } })?.message ?? '',
    /Additional properties are not allowed \('tags' was unexpected\)/,
  )
  assert.equal(at('2.56', { server: { name: 'a', networks: [], personality: [] } }), undefined)
  assert.match(
    at('2.57', { server: { name: 'a', networks: [], personality: [] } })?.message ?? '',
    /'personality' was unexpected/,
  )
})

test('a field may change its schema', () => {
  assert.equal(at('2.37', { server: { name: 'a', networks: 'auto' } }), undefined)
  assert.equal(at('2.36', { server: { name: 'a', networks: 'auto' } })?.field, 'server.networks')
})

test('problems name the field and speak as upstream does', () => {
  assert.deepEqual(at('2.1', { server: { name: '', networks: [] } }), {
    field: 'server.name',
    value: '',
    message: "'' is too short",
    keyword: 'minLength',
    rule: ['properties', 'server', 'properties', 'name', 'minLength'],
  })
  const named = Type.Record(Type.String({ pattern: '^[A-Z]+$' }), Type.Integer(), { additionalProperties: false })
  assert.equal(problemOf(named, { a: 1 })?.message, "'a' does not match any of the regexes: '^[A-Z]+$'")
  assert.equal(at('2.1', { server: { name: 'x'.repeat(9), networks: [] } })?.message, "'xxxxxxxxx' is too long")
  assert.equal(at('2.1', { server: { networks: [] } })?.message, "'name' is a required property")
  assert.equal(at('2.1', { server: { name: 7, networks: [] } })?.message, "7 is not of type 'string'")
  assert.equal(
    at('2.60', { server: { name: 'a', networks: [], tags: ['a', 'b', 'c'] } })?.message,
    "['a', 'b', 'c'] is too long",
  )
  const words = Type.Object({ live: Type.Union([Type.Literal('yes'), Type.Literal('no'), Type.Literal('auto')]) })
  assert.equal(problemOf(words, { live: 'maybe' })?.message, "'maybe' is not one of ['yes', 'no', 'auto']")
})

test('queries read numbers and booleans from text', () => {
  const query = Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    deleted: Type.Optional(Type.Boolean()),
  })
  const value = { limit: '5', deleted: 'true' }
  assert.equal(problemOf(query, value, 'query'), undefined)
  assert.deepEqual(value, { limit: 5, deleted: true })
  assert.match(problemOf(query, { limit: 'x' }, 'query')?.message ?? '', /is not of type/)
})

test('a query is told the same of its fields whether their schemas are compiled together or each when it is asked for', () => {
  const members = {
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    sort_key: Type.Optional(Type.Array(Type.Union([Type.Literal('a'), Type.Literal('b')]))),
    since: Type.Optional(Type.String({ format: 'date-time' })),
    deleted: Type.Optional(Type.Boolean()),
  }
  const queries: Record<string, string | string[]>[] = [
    ...[
      {},
      { limit: '2' },
      { limit: '-1' },
      { limit: 'x', since: 'y' },
      { since: 'y', limit: 'x' },
      { limit: ['1', '2'] },
    ],
    ...[
      { sort_key: 'a' },
      { sort_key: ['a', 'b'] },
      { sort_key: ['a', 'c'] },
      { deleted: 'true' },
      { deleted: 'maybe' },
    ],
    ...[{ since: '2026-01-01T00:00:00Z', deleted: 'false' }, { unknown: 'x' }, { limit: 'x', unknown: 'x' }],
    ...[{ limit: '1', unknown: 'x' }, { toString: 'x' }, { ['__proto__']: 'x' }],
  ]
  for (const additionalProperties of [false, true, undefined]) {
    const closed = additionalProperties !== undefined && { additionalProperties }
    const apart = Type.Object(members, { ...closed })
    const together = Type.Object(members, { ...closed, description: 'With a keyword more, it is compiled as a whole.' })
    for (const query of queries) {
      const [one, other] = [{ ...query }, { ...query }]
      assert.deepEqual(problemOf(apart, one, 'query'), problemOf(together, other, 'query'), JSON.stringify(query))
      assert.deepEqual(one, other)
    }
  }
  assert.match(problemOf(Type.Array(Type.Integer()), ['x'], 'query')?.message ?? '', /is not of type/)
  assert.match(problemOf(Type.Integer(), 'x', 'query')?.message ?? '', /is not of type/)
})

test('answers are cut to the version asked for', () => {
  const list = Type.Object({
    servers: Type.Array(Type.Object({ id: Type.String(), locked: since('2.9', Type.Boolean()) })),
  })
  const at = (version: string) => {
    const body = { servers: [{ id: 'a', locked: false }] }
    prune(body, list, ordinal(version))
    return JSON.stringify(body)
  }
  assert.equal(at('2.8'), '{"servers":[{"id":"a"}]}')
  assert.equal(at('2.9'), '{"servers":[{"id":"a","locked":false}]}')
  const either = Type.Union([Type.Object({ a: since('2.9', Type.String()) }), Type.Object({ b: Type.String() })])
  const value = { a: 'x', b: 'y' }
  prune(value, either, ordinal('2.8'))
  assert.equal(JSON.stringify(value), '{"b":"y"}')
  assert.ok(unversioned(Type.Object({ id: Type.String() })))
})

test('what fits plainly is what Ajv takes as it is, whatever the schema and the value', () => {
  const values: unknown[] = [
    ...['', 'a', 'aa', '😀', '10.0.0.1', '6a1f2c3d-0000-4000-8000-00000000beef', 0, 1, 1.5, -1, true, false, null],
    ...[[], ['a'], ['a', 'a'], ['a', 1], [{}], {}, { a: 'a' }, { a: 1 }, { b: 1 }, { a: 'a', b: 1 }, { a: { a: 'a' } }],
  ]
  const leaves: TSchema[] = [
    ...[Type.String(), Type.String({ maxLength: 1 }), Type.String({ minLength: 1 }), Type.String({ minLength: 2 })],
    ...[Type.String({ format: 'ip' }), Type.String({ format: 'uuid' }), Type.String({ pattern: '^a$' })],
    ...[Type.Integer(), Type.Number({ minimum: 0, maximum: 1 }), Type.Boolean(), Type.Null(), Type.Literal('a')],
    ...[Type.Unsafe({ enum: ['a', 1] }), Type.Unsafe({ type: ['string', 'integer'] }), Type.Unknown()],
  ]
  const schemas = [
    ...leaves,
    ...leaves.map(leaf => Type.Union([Type.Null(), leaf])),
    ...leaves.map(leaf => Type.Array(leaf, { uniqueItems: true, maxItems: 1 })),
    ...leaves.map(leaf => Type.Object({ a: leaf, b: Type.Optional(Type.Integer()) })),
    ...leaves.map(leaf => Type.Object({ a: Type.Optional(leaf) }, { additionalProperties: false })),
    Type.Object({ a: Type.String({ default: 'b' }) }),
  ]
  let fitting = 0
  for (const schema of schemas) {
    for (const value of values) {
      if (!fitsPlainly(schema, value)) continue
      const copy = structuredClone(value)
      assert.equal(problemOf(schema, copy), undefined, `${JSON.stringify(schema)} ${JSON.stringify(value)}`)
      assert.deepEqual(copy, value)
      fitting++
    }
  }
  assert.ok(fitting > 100, `${fitting} fit`)
})
