/** The same change asked for several times at once: one is made, and the others are made too or refused; none breaks on another. */
import assert from 'node:assert/strict'
import { systemClock } from '../../src/kernel/clock.ts'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'
import { addressed, belongings, publicKey } from '../attacks/belongings.ts'
import { installation } from '../attacks/installation.ts'
import { sample } from '../attacks/sample.ts'
import { bodySchema, contentType, extended, headersAt, nobody, type Reachable, surface } from '../attacks/surface.ts'
import { wholeBodies } from '../attacks/whole-bodies.ts'
import { onEachEngine } from '../engines.ts'
import { checkedBodies, metadataThings } from './checked-bodies.ts'

const atOnce = 4

const changes = surface.filter(({ operation: { method, raw } }) => method !== 'GET' && method !== 'HEAD' && !raw)
const last = (one: Reachable) => (one.operation.method === 'DELETE' ? 1 : 0)

onEachEngine('changes that are asked for at once', async database => {
  await using cloud = await serverCloud({ world: await newWorld(systemClock(), database), set: extended })
  const owner = await cloud.project('owner')
  const ids = await metadataThings(cloud, await installation(cloud, await belongings(cloud, owner), owner))
  const good: Record<string, unknown> = { ...wholeBodies(ids, publicKey), ...checkedBodies(ids) }
  const admin = await cloud.login('admin')
  const broken: Record<string, string> = {}
  let made = 0
  for (const one of changes.toSorted((a, b) => last(a) - last(b))) {
    const { id, method, action } = one.operation
    const schema = bodySchema(one)
    const body = good[id] ?? (schema ? sample(schema) : action && { [action]: null })
    const sent = {
      token: admin,
      headers: { ...headersAt(one), ...(body !== undefined && contentType(one)) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }
    const url = addressed(one, ids, nobody)
    const answers = await Promise.all(Array.from({ length: atOnce }, () => cloud.request(method, url, sent)))
    const codes = answers.map(answer => answer.status)
    if (codes.some(code => code < 300)) made++
    // 501 is what upstream says of what it has no more.
    if (codes.some(code => code >= 500 && code !== 501)) broken[id] = codes.join(' ')
  }
  await cloud.env.sagas.idle()
  assert.deepEqual(broken, {})
  assert.ok(made > 150, `${made} of them are made`)
})
