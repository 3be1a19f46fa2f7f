/** A name of 300 characters is refused in the same words by every operation of a service, in the service's own envelope (S-016). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { addressed, belongings, publicKey } from '../attacks/belongings.ts'
import { installation } from '../attacks/installation.ts'
import { nodes, sample, withLeaf } from '../attacks/sample.ts'
import { bodySchema, contentType, extended, headersAt, nobody, surface } from '../attacks/surface.ts'
import { wholeBodies } from '../attacks/whole-bodies.ts'
import { checkedBodies, metadataThings, readNone } from './checked-bodies.ts'

const long = 'x'.repeat(300)
const tooLong = `'${long}' is too long`

/** What each service says, each as upstream's does. */
const envelopes: Record<string, (answer: unknown) => void> = {
  compute: answer =>
    assert.deepEqual(answer, {
      badRequest: { code: 400, message: `Invalid input for field/attribute name. Value: ${long}. ${tooLong}` },
    }),
  identity: answer =>
    assert.deepEqual(answer, {
      error: { code: 400, message: `Invalid input for field 'name': ${tooLong}`, title: 'Bad Request' },
    }),
  network: answer =>
    assert.deepEqual(answer, {
      NeutronError: {
        type: 'HTTPBadRequest',
        message: `Invalid input for name. Reason: '${long}' exceeds maximum length of 255.`,
        detail: '',
      },
    }),
  placement: answer => {
    const [{ status, title, detail }] = (answer as { errors: [Record<string, unknown>] }).errors
    assert.deepEqual([status, title], [400, 'Bad Request'])
    assert.match(String(detail), new RegExp(`JSON does not validate: ${tooLong}\\n`))
  },
  image: answer =>
    assert.match(
      String(answer).replaceAll('&#x27;', "'"),
      new RegExp(`^<html>.*\\n  Provided object does not match schema '\\w+': ${tooLong} for property name<br />`, 's'),
    ),
}

/** Its `name` is a word of the protocol. */
const ofWords = ['image.images.import']

/** A long name is put there in what is sent: `{"server": {"name"}}`, `{"name"}`, or the one operation of a JSON patch. */
const names = (body: unknown) =>
  nodes(body).filter(
    ({ path, value }) =>
      typeof value === 'string' && path.length <= 2 && (path.at(-1) === 'name' || path.join('.') === '0.value'),
  )

test('a name that is too long is told of in one form of words by each service', async () => {
  await using cloud = await serverCloud({ set: extended })
  const owner = await cloud.project('owner')
  const ids = await metadataThings(cloud, await installation(cloud, await belongings(cloud, owner), owner))
  const good = { ...wholeBodies(ids, publicKey), ...checkedBodies(ids) }
  const admin = await cloud.login('admin')
  const other: Record<string, string> = {}
  const sent: Record<string, number> = {}
  for (const one of surface) {
    const { id, method, raw } = one.operation
    const { type } = one.service
    if (raw || readNone.has(id) || ofWords.includes(id) || !['POST', 'PUT', 'PATCH'].includes(method)) continue
    const schema = bodySchema(one)
    const body = good[id] ?? (schema && sample(schema))
    for (const { path } of names(body)) {
      const answer = await cloud.request(method, addressed(one, ids, nobody), {
        // Its own user alone makes one.
        token: id === 'identity.application_credentials.create' ? owner.token : admin,
        headers: { ...headersAt(one), ...(id === 'image.images.update' ? jsonPatch : contentType(one)) },
        body: JSON.stringify(withLeaf(body, path, long)),
      })
      sent[type] = (sent[type] ?? 0) + 1
      try {
        assert.equal(answer.status, 400)
        envelopes[type]!(answer.body)
      } catch {
        other[id] = `${answer.status} ${JSON.stringify(answer.body)}`.replaceAll(long, '…').slice(0, 300)
      }
    }
  }
  assert.deepEqual(other, {})
  assert.deepEqual(Object.keys(sent).sort(), Object.keys(envelopes).sort())
  assert.ok(Object.values(sent).reduce((sum, count) => sum + count) > 60, JSON.stringify(sent))
})

const jsonPatch = { 'content-type': 'application/openstack-images-v2.1-json-patch' }
