/** Access rules: what a pattern covers, and that none can be written that takes long to say no. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allowedByRules } from './access-rules.ts'

const allows = (pattern: string, path: string) =>
  allowedByRules([{ service: 'compute', method: 'GET', path: pattern }], { service: 'compute', method: 'GET', path })

test('a star or a name is one segment, two stars are anything, all else is itself', () => {
  for (const [pattern, path, expected] of [
    ['/v2.1/servers', '/v2.1/servers', true],
    ['/v2.1/servers', '/v2x1/servers', false],
    ['/v2.1/servers', '/v2.1/servers/1', false],
    ['/v2.1/servers/*', '/v2.1/servers/1', true],
    ['/v2.1/servers/*', '/v2.1/servers/', false],
    ['/v2.1/servers/*', '/v2.1/servers/1/action', false],
    ['/v2.1/servers/{id}/ips', '/v2.1/servers/1/ips', true],
    ['/v2.1/servers/{id}/ips', '/v2.1/servers/1/2/ips', false],
    ['/v2.1/**', '/v2.1/servers/1/action', true],
    ['/v2.1/**', '/v2.1/', true],
    ['/**/ips', '/v2.1/servers/1/ips', true],
    ['/**', '/anything', true],
    ['/a*c', '/abbc', true],
    ['/a*c', '/ab/c', false],
  ] as const)
    assert.equal(allows(pattern, path), expected, `${pattern} on ${path}`)
})

test('service and method must be those of the rule', () => {
  const rules = [{ service: 'compute', method: 'GET', path: '/**' }]
  assert.equal(allowedByRules(rules, { service: 'image', method: 'GET', path: '/x' }), false)
  assert.equal(allowedByRules(rules, { service: 'compute', method: 'HEAD', path: '/x' }), false)
  assert.equal(allowedByRules([], { service: 'compute', method: 'GET', path: '/x' }), false)
})

test('a hostile pattern is refused like any other', () => {
  assert.equal(allows(`/${'**a'.repeat(70)}b`, `/${'a'.repeat(2000)}`), false)
})
