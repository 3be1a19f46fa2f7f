/** Only versions that a service has are written down. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { services } from '../services.ts'
import { versionOf } from './api-schema.ts'

const service = (type: string) => services.find(one => one.type === type)!

test('a version that the service does not have is refused, with those that there are', () => {
  assert.equal(versionOf(service('compute'), '2.90'), '2.90')
  for (const text of ['2.9999', '1.0', '2.090', 'latest'])
    assert.throws(() => versionOf(service('compute'), text), /compute has no version .*: say one from 2\.1 to 2\.\d+/)
  assert.throws(() => versionOf(service('network'), '2.0'), /network has no versions/)
})
