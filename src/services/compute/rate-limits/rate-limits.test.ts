import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud } from '../fixtures/compute-cloud.ts'
import { isAbout, type RateLimit } from './rate-limit.ts'

interface Limits {
  limits: { rate: { uri: string; regex: string; limit: Record<string, unknown>[] }[] }
}
type Over = { overLimit: Record<string, unknown> }

const wish = { server_group: { name: 'g', policy: 'affinity' } }

onEachEngine('users see their rate limits, and past one wait for as long as they are told', async database => {
  const clock = virtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const rules = ['POST /os-server-groups 3 minute', '* /os-server-groups* 100 hour']
  await using cloud = await computeCloud({ database, clock, set: [`compute.rate_limits=${JSON.stringify(rules)}`] })
  const post = (who: 'alice' | 'bob' | 'reader') => cloud.call<Over>(who, 'POST', '/os-server-groups', wish)
  const rates = async () => (await cloud.call<Limits>('alice', 'GET', '/limits')).body.limits.rate
  const verb = { verb: 'POST', value: 3, unit: 'MINUTE' }
  const [first, second] = await rates()
  assert.deepEqual(first, {
    uri: '/os-server-groups',
    regex: '^/os-server-groups$',
    limit: [{ ...verb, remaining: 3, 'next-available': '2026-01-01T00:00:00Z' }],
  })
  assert.equal(second!.regex, '^/os-server-groups.*$')

  for (let i = 0; i < 3; i++) assert.equal((await post('alice')).status, 200)
  const over = await post('alice')
  assert.deepEqual(
    [over.status, over.headers['retry-after'], over.body.overLimit],
    [
      429,
      '20',
      {
        code: 429,
        message: 'This request was rate-limited.',
        details: 'Only 3 POST request(s) can be made to /os-server-groups every minute.',
        retryAfter: '20',
      },
    ],
  )
  assert.deepEqual((await rates())[0]!.limit, [{ ...verb, remaining: 0, 'next-available': '2026-01-01T00:00:20Z' }])
  // Others, and other verbs, have their own.
  assert.equal((await post('bob')).status, 200)
  assert.equal((await cloud.call('alice', 'GET', '/os-server-groups')).status, 200)
  // Also by the older path, with the project in it.
  const older = await cloud.request('POST', '/compute/v2/d0000000000000000000000000000000/os-server-groups', {
    token: 'alice',
    body: wish,
  })
  assert.equal(older.status, 429)
  await clock.advance(20_000)
  assert.equal((await post('alice')).status, 200)
  assert.equal((await post('alice')).status, 429)
  // What nobody uses takes no room.
  await clock.advance(3_600_000)
  await cloud.reconcile('compute.rate-limits')
  assert.equal(
    await cloud.env.database.root
      .selectFrom('compute_rate_limits')
      .selectAll()
      .execute()
      .then(rows => rows.length),
    0,
  )
})

onEachEngine('requests at the same moment get as many as the limit has', async database => {
  const set = ['compute.rate_limits=["GET /flavors* 5 hour"]']
  await using cloud = await computeCloud({ database, set })
  const answers = await Promise.all(Array.from({ length: 12 }, () => cloud.call('alice', 'GET', '/flavors/detail')))
  assert.equal(answers.filter(one => one.status === 200).length, 5)
  assert.equal(answers.filter(one => one.status === 429).length, 7)
})

test('without a configured limit there is none, and a limit that says nothing stops the start', async () => {
  await using cloud = await computeCloud()
  assert.deepEqual((await cloud.call<Limits>('alice', 'GET', '/limits')).body.limits.rate, [])
  await assert.rejects(computeCloud({ set: ['compute.rate_limits=["POST /servers often"]'] }), /rate_limits/)
})

test('patterns match as they read', () => {
  const about = (uri: string, path: string) => isAbout({ verb: '*', uri } as RateLimit, 'GET', path)
  assert.deepEqual(
    ['/servers', '/servers*', '/servers/*/action', '*', '*s*s*'].map(uri => about(uri, '/servers/1/action')),
    [false, true, true, true, true],
  )
  assert.equal(about('/a*a', '/a'), false)
})
