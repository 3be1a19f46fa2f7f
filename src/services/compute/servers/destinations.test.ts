/** Where servers would go, without any being made. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld } from './fixtures/world.ts'

interface Chosen {
  destinations: { host: string; node: string; availability_zone: string }[]
  reason?: string
  refused?: { host: string; rule: string }[]
}

onEachEngine(
  'an admin asks where servers would go: nothing is made, and a boot finds all the room still',
  async database => {
    await using cloud = await serverCloud({
      hosts: ['h1', 'h2'],
      vcpus: 1,
      set: ['compute.hosts.cpu_allocation_ratio=2'],
      world: await newWorld(undefined, database),
    })
    const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
    const ask = (count: number, who = admin, hints: object = {}) =>
      cloud.api<Chosen>(who, 'POST', '/os-destinations', {
        server: cloud.newServer({ min_count: count }),
        'os:scheduler_hints': hints,
      })
    const { body } = await ask(4)
    assert.deepEqual(body.destinations.map(one => one.host).sort(), ['h1', 'h1', 'h2', 'h2'])
    assert.equal(body.destinations[0]!.availability_zone, 'nova')
    assert.deepEqual(await cloud.held(), nothingHeld)
    assert.equal((await ask(1, demo)).status, 403)

    const tooMany = (await ask(5)).body
    assert.deepEqual(tooMany.destinations, [])
    assert.match(tooMany.reason!, /No valid host was found.*2 refused by VCPU/)
    assert.deepEqual(
      tooMany.refused!.map(one => one.rule),
      ['VCPU', 'VCPU'],
    )
    assert.deepEqual(await cloud.held(), nothingHeld)
    const made = await cloud.boot(demo, { min_count: 4 })
    assert.equal(made.status, 'ACTIVE')
    assert.deepEqual((await ask(1)).body.destinations, [])
  },
)
