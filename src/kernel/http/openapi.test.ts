/** The API that is published is the one that is checked. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { services } from '../../services.ts'
import { openapi, undeclared } from './openapi.ts'

interface Document {
  paths: Record<string, Record<string, Described>>
}

interface Described {
  operationId: string
  deprecated?: boolean
  parameters: { name: string; in: string; schema: unknown }[]
  requestBody?: {
    content: Record<string, { schema: { properties: Record<string, { properties: object }>; oneOf?: unknown[] } }>
  }
  responses: Record<string, unknown>
  'x-deprecated-inputs'?: Record<string, string>
}

const compute = services.find(one => one.type === 'compute')!
const at = (version: `${number}.${number}`) => openapi(compute, version) as unknown as Document

/** Its body may be missing altogether, which no schema says; it may only shrink. */
const known = ['compute.floating_ips.create']

test('every route of compute has its schemas', () => {
  const without = compute.operations.filter(one => undeclared(one).length > 0).map(one => one.id)
  assert.deepEqual(without, known)
})

test('every operation of a version is in its document, with parameters and bodies as they are then', () => {
  const oldest = at('2.1')
  const newest = at('2.104')
  const bodyOf = (document: Document) =>
    document.paths['/v2.1/servers']!.post!.requestBody!.content['application/json']!.schema.properties.server!
      .properties
  assert.ok('personality' in bodyOf(oldest) && !('tags' in bodyOf(oldest)))
  assert.ok('tags' in bodyOf(newest) && !('personality' in bodyOf(newest)))
  assert.ok('/v2.1/os-networks' in oldest.paths && !('get' in (newest.paths['/v2.1/os-networks'] ?? {})))
  const parameters = newest.paths['/v2.1/os-keypairs/{keypair_name}']!.get!.parameters
  assert.deepEqual(parameters[0], { name: 'keypair_name', in: 'path', required: true, schema: { type: 'string' } })
  const actions =
    newest.paths['/v2.1/servers/{server_id}/action']!.post!.requestBody!.content['application/json']!.schema
  assert.ok(actions.oneOf!.length > 25)
})

test('what has a successor is marked', () => {
  const { post } = at('2.1').paths['/v2.1/servers']!
  assert.equal(post!['x-deprecated-inputs']!['server.block_device_mapping'], 'block_device_mapping_v2')
  assert.equal(at('2.1').paths['/v2.1/os-networks']!.get!.deprecated, true)
})

test('the documents of all services are JSON, and none has a mark of ours for versions', () => {
  for (const service of services) {
    const text = JSON.stringify(openapi(service))
    assert.doesNotMatch(text, /"x-(since|until|by-version)"/, service.type)
  }
})
