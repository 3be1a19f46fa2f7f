/** Which operations a method and a path find. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Method, Operation } from '../operation.ts'
import type { Service } from '../service.ts'
import { createRoutes } from './routes.ts'

const one = (id: string, method: Method, path: string, action?: string) =>
  ({ id, method, path, ...(action && { action }) }) as unknown as Operation
const service = (type: string, path: string, operations: Operation[]) =>
  ({ type, path, operations }) as unknown as Service

const routes = createRoutes([
  service('compute', '/compute', [
    one('versions', 'GET', ''),
    one('show', 'GET', '/v2.1/servers/{server_id}'),
    one('start', 'POST', '/v2.1/servers/{id}/action', 'os-start'),
    one('stop', 'POST', '/v2.1/servers/{server_id}/action', 'os-stop'),
  ]),
  service('computed', '/compute/more', [one('look', 'GET', '/{name*}'), one('ask', 'HEAD', '/{name*}')]),
])
const ids = (method: string, path: string) => routes.find(method, path)?.operations.map(o => o.id)

test('operations of one method and path are found together, with the path’s values', () => {
  assert.deepEqual(ids('POST', '/compute/v2.1/servers/7/action'), ['start', 'stop'])
  assert.deepEqual({ ...routes.find('GET', '/compute/v2.1/servers/a%20b?x=1')?.params }, { server_id: 'a b' })
  assert.deepEqual(ids('GET', '/compute'), ['versions'])
  assert.deepEqual(ids('GET', '/compute/?limit=1'), ['versions'])
})

test('the longest path of a service wins; the rest of a path may be a value', () => {
  assert.equal(routes.find('GET', '/compute/more/a/b')?.service.type, 'computed')
  assert.deepEqual({ ...routes.find('GET', '/compute/more/a/b')?.params }, { '*': 'a/b' })
  assert.equal(routes.service('/computer'), undefined)
})

test('HEAD is what GET is, unless it has an operation of its own', () => {
  assert.deepEqual(ids('HEAD', '/compute/v2.1/servers/7'), ['show'])
  assert.deepEqual(ids('HEAD', '/compute/more/x'), ['ask'])
})

test('what is not there is not found, and a path tells its methods', () => {
  assert.equal(ids('GET', '/compute/v2.1/nothing'), undefined)
  assert.equal(ids('GET', '/elsewhere'), undefined)
  assert.equal(ids('DELETE', '/compute/v2.1/servers/7'), undefined)
  assert.deepEqual(routes.methods('/compute/v2.1/servers/7'), ['GET', 'HEAD'])
  assert.deepEqual(routes.methods('/compute/v2.1/servers/7/action'), ['POST'])
})
