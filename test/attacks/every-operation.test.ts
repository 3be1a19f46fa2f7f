/** What every operation refuses, made from the operation values: no token, a wrong one, versions that it is not in, bodies of a wrong shape. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '../../src/kernel/clock.ts'
import { ordinal } from '../../src/kernel/schema/version.ts'
import { testCloud } from '../harness.ts'
import { contentType, extended, headersAt, nobody, type Reachable, surface, takesBody, urlOf } from './surface.ts'

const guarded = surface.filter(({ operation }) => operation.policy !== 'public')

function routeOf({ service, operation }: Reachable): string {
  return `${operation.method} ${service.path}${operation.path.replace(/\{[^}]+\}/g, '{}')}`
}

/** A body that reaches the operation: an action is found by its name. */
function plainBody(one: Reachable): object {
  if (one.operation.action) return { body: { [one.operation.action]: null } }
  return takesBody(one) ? { body: {} } : {}
}

test('ids are unique and read service.resource.verb', () => {
  const ids = surface.map(({ operation }) => operation.id)
  assert.deepEqual(
    ids.filter((id, i) => ids.indexOf(id) !== i),
    [],
  )
  for (const { service, operation } of surface) {
    assert.match(operation.id, /^[a-z-]+(\.[a-z0-9_-]+){2,3}$/i, operation.id)
    assert.ok(operation.id.startsWith(`${service.type}.`), operation.id)
    assert.ok(operation.summary.length > 0, operation.id)
  }
})

test('without a token that is good now, every operation that is not public answers 401 and says where to get one', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock, set: extended })
  const old = await cloud.login('admin')
  await clock.advance(86_400_001)
  for (const one of guarded) {
    for (const token of [undefined, '', 'gAAAAABnotatoken', old]) {
      const { status, headers } = await cloud.request(one.operation.method, urlOf(one), {
        ...(token !== undefined && { token }),
        headers: headersAt(one),
        ...plainBody(one),
      })
      assert.equal(status, 401, `${one.operation.id} with ${token?.slice(0, 10) ?? 'no token'}`)
      assert.match(headers['www-authenticate'] ?? '', /^Keystone uri="http/, one.operation.id)
    }
  }
})

/** Whether another operation of the same route and action answers at the version. */
function hasOther(one: Reachable, version: number): boolean {
  return surface.some(other => {
    const { versions, action } = other.operation
    return (
      other !== one &&
      routeOf(other) === routeOf(one) &&
      (action === undefined || action === one.operation.action) &&
      (!versions?.min || ordinal(versions.min) <= version) &&
      (!versions?.max || ordinal(versions.max) >= version)
    )
  })
}

test('an operation is not there before its first and after its last version', async () => {
  await using cloud = await testCloud({ set: extended })
  const token = await cloud.login('admin')
  let looked = 0
  for (const one of surface) {
    const { min, max } = one.operation.versions ?? {}
    const limits = one.service.microversions
    if (!limits) continue
    const outside = [
      ...(min && ordinal(min) > ordinal(limits.min) ? [ordinal(min) - 1] : []),
      ...(max && ordinal(max) < ordinal(limits.max) ? [ordinal(max) + 1] : []),
    ]
    for (const version of outside) {
      if (hasOther(one, version)) continue
      looked++
      const asked = `${Math.floor(version / 10_000)}.${version % 10_000}`
      const { status, body } = await cloud.request(one.operation.method, urlOf(one), {
        token,
        headers: headersAt(one, asked),
        ...plainBody(one),
      })
      // Of a route that is there, an unknown action is a bad request.
      const expected = one.operation.action ? [400, 404] : [404]
      assert.ok(expected.includes(status), `${one.operation.id} at ${asked}: ${status} ${JSON.stringify(body)}`)
    }
  }
  assert.ok(looked > 10)
})

test('a version that is malformed, too old or too new is refused everywhere with the bounds', async () => {
  await using cloud = await testCloud({ set: extended })
  const token = await cloud.login('admin')
  for (const one of guarded) {
    const { microversions } = one.service
    if (!microversions) continue
    for (const [version, expected] of [
      ['2', 400],
      ['2.x', 400],
      ['2.01', 400],
      ['9999.9999', 406],
      ['0.1', microversions.zeroMajor ? 406 : 400],
    ] as const) {
      const { status } = await cloud.request(one.operation.method, urlOf(one), {
        token,
        headers: headersAt(one, version),
        ...plainBody(one),
      })
      assert.equal(status, expected, `${one.operation.id} at ${version}`)
    }
  }
})

const garbage: unknown[] = [{}, [], 'text', 7, null, true, { a: { b: [] } }]

for (const who of ['demo', 'admin'] as const) {
  test(`no body of a wrong shape and no unknown id is ever a 500 (${who})`, async () => {
    await using cloud = await testCloud({ set: extended })
    let token = await cloud.login(who)
    for (const one of surface) {
      const { operation } = one
      if (operation.raw) continue
      const bodies = operation.action
        ? garbage.map(body => ({ [operation.action!]: body }))
        : takesBody(one)
          ? [undefined, ...garbage]
          : [undefined]
      for (const id of [nobody, '0', '-1', 'None', '9'.repeat(40)]) {
        for (const body of bodies) {
          // Some of these operations end the user's tokens.
          if (!(await cloud.env.authenticate(token))) token = await cloud.login(who)
          const answer = await cloud.request(operation.method, urlOf(one, id), {
            token,
            headers: { ...headersAt(one), ...(body !== undefined && contentType(one)) },
            ...(body !== undefined && { body: JSON.stringify(body) }),
          })
          const about = `${operation.id} of ${id} with ${JSON.stringify(body)}`
          assert.ok(
            answer.status < 500 || answer.status === 501,
            `${about}: ${answer.status} ${JSON.stringify(answer.body)}`,
          )
        }
      }
    }
  })
}
