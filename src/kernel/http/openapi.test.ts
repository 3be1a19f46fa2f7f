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

for (const { type, operations } of services)
  test(`every route of ${type} has its schemas`, () => {
    assert.deepEqual(
      operations.flatMap(one => undeclared(one).map(which => `${one.id}: ${which}`)),
      [],
    )
  })

test('bodies that services check in their own words are published, those of other types with theirs', () => {
  const of = (type: string) => openapi(services.find(one => one.type === type)!) as unknown as Document
  const port = of('network').paths['/v2.0/ports']!.post!.requestBody!.content['application/json']!.schema
  assert.ok(JSON.stringify(port).includes('"binding:vnic_type"'))
  const patch = of('image').paths['/v2/images/{image_id}']!.patch!.requestBody!.content
  assert.ok('application/openstack-images-v2.1-json-patch' in patch)
  assert.equal(of('image').paths['/v2/images/{image_id}/actions/deactivate']!.post!.requestBody, undefined)
  const download = of('image').paths['/v2/images/{image_id}/file']!.get!.responses['200']
  assert.deepEqual((download as { content: object }).content, { 'application/octet-stream': {} })
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
