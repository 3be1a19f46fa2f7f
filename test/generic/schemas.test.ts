/** Every operation's schemas are schemas: the program itself does not check that, it would cost start-up time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { schemaAt } from '../../src/kernel/schema/marks.ts'
import { ordinal } from '../../src/kernel/schema/version.ts'
import { surface } from '../attacks/surface.ts'

for (const { type, operations, microversions } of new Set(surface.map(one => one.service))) {
  test(`schemas of ${type}`, () => {
    const ajv = new Ajv({ strict: false })
    for (const { id, query, request, response } of operations) {
      for (const [what, schema] of Object.entries({ query, request, response })) {
        if (!schema) continue
        for (const version of microversions ? [microversions.min, microversions.max] : []) {
          const valid = ajv.validateSchema(schemaAt(schema, ordinal(version)))
          assert.ok(valid, `${what} of ${id} at ${version}: ${ajv.errorsText()}`)
        }
        assert.ok(
          ajv.validateSchema(schemaAt(schema, Number.MAX_SAFE_INTEGER)),
          `${what} of ${id}: ${ajv.errorsText()}`,
        )
      }
    }
  })
}
