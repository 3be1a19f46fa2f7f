/** What the published API says of lists. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identityService } from './service.ts'

const listOperations = /\.(list|list_\w+|projects|domains)$/

interface Shape {
  type?: string
  items?: Shape
  properties?: Record<string, Shape>
}

test('lists of what has a name say all that is shown of each', () => {
  let lists = 0
  for (const { id, response } of identityService.operations) {
    if (!listOperations.test(id)) continue
    for (const { type, items } of Object.values((response as Shape | undefined)?.properties ?? {})) {
      if (type !== 'array' || !items?.properties?.name || !items.properties.id) continue
      lists++
      assert.ok(Object.keys(items.properties).length > 3, `${id} tells no more than id and name`)
    }
  }
  assert.ok(lists > 10)
})
