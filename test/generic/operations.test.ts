/** Tests that every operation gets for nothing, made from the operation values. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Operation } from '../../src/kernel/operation.ts'
import type { Service } from '../../src/kernel/service.ts'
import { services } from '../../src/services.ts'
import { testCloud } from '../harness.ts'

const someId = '6a1f2c3d-0000-4000-8000-00000000beef'

function urlOf(service: Service, operation: Operation, id = someId): string {
  return service.path + operation.path.replace(/\{[^}]+\}/g, id)
}

const all = services.flatMap(service => service.operations.map(operation => ({ service, operation })))

/** At the newest version that the operation knows, so that it is there. */
function headersOf(service: Service, operation: Operation): Record<string, string> {
  if (!service.microversions) return {}
  return {
    'openstack-api-version': `${service.microversions.serviceType} ${operation.versions?.max ?? service.microversions.max}`,
  }
}

test('ids are unique and read service.resource.verb', () => {
  const ids = all.map(({ operation }) => operation.id)
  assert.deepEqual(
    ids.filter((id, i) => ids.indexOf(id) !== i),
    [],
  )
  for (const { service, operation } of all) {
    assert.match(operation.id, /^[a-z-]+(\.[a-z0-9_-]+){2,3}$/i, operation.id)
    assert.ok(operation.id.startsWith(`${service.type}.`), operation.id)
    assert.ok(operation.summary.length > 0, operation.id)
  }
})

test('without a token, or with one that is not ours, every operation that is not public answers 401', async () => {
  await using cloud = await testCloud()
  for (const { service, operation } of all) {
    if (operation.policy === 'public') continue
    // Operations that share a route with a public one are reached without a token, and refuse later.
    for (const token of [undefined, 'gAAAAABnotatoken']) {
      const answer = await cloud.request(operation.method, urlOf(service, operation), {
        ...(token && { token }),
        headers: headersOf(service, operation),
        ...(operation.method !== 'GET' &&
          operation.method !== 'HEAD' &&
          !operation.raw && { body: operation.action ? { [operation.action]: null } : {} }),
      })
      assert.equal(answer.status, 401, `${operation.id} with ${token ?? 'no token'}`)
    }
  }
})

const garbage: unknown[] = [{}, [], 'text', 7, null, { a: { b: [] } }]

test('no body of a wrong shape and no unknown id is ever a 500', async () => {
  await using cloud = await testCloud()
  for (const who of ['demo', 'admin'] as const) {
    for (const { service, operation } of all) {
      if (operation.raw || operation.id === 'identity.tokens.revoke') continue
      const bodies =
        operation.method === 'GET' || operation.method === 'HEAD' || operation.method === 'DELETE'
          ? [undefined]
          : operation.action
            ? garbage.map(g => ({ [operation.action!]: g }))
            : garbage
      for (const body of bodies) {
        // Some of these operations change the user itself: a fresh token each time.
        const token = await cloud.login(who)
        const answer = await cloud.request(operation.method, urlOf(service, operation), {
          token,
          headers: {
            ...headersOf(service, operation),
            ...(body !== undefined && { 'content-type': operation.accepts?.[0] ?? 'application/json' }),
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
        assert.ok(
          answer.status < 500,
          `${operation.id} as ${who} with ${JSON.stringify(body)}: ${answer.status} ${JSON.stringify(answer.body)}`,
        )
      }
    }
  }
})
