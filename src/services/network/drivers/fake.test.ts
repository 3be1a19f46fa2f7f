/** The fake plane keeps the contract, and fails when told to. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { plainNetwork, plainPort, planeContract, stateOf } from './driver.contract.ts'
import { fakePlane } from './fake.ts'

planeContract('fake', async () => {
  const plane = fakePlane()
  return { plane, restart: async () => fakePlane(), [Symbol.asyncDispose]: async () => {} }
})

test('a failed converge changes nothing, the next one works', async () => {
  const plane = fakePlane()
  plane.faults.fail('no space left on device')
  await assert.rejects(plane.converge(stateOf(1)), /no space left/)
  assert.equal(plane.applied, undefined)
  await plane.converge(stateOf(2))
  assert.deepEqual(plane.revisions, [2])
})

test('a delayed converge ends when the clock says so', async () => {
  const clock = virtualClock()
  const plane = fakePlane({ clock })
  plane.faults.delay(5000)
  const converged = plane.converge(stateOf(1))
  await clock.advance(4999)
  assert.deepEqual(plane.revisions, [])
  await clock.advance(1)
  assert.equal((await converged).revision, 1)
})

test('a forgotten port is told until it is restored', async () => {
  const plane = fakePlane()
  const network = plainNetwork(1)
  const port = plainPort(network, 11)
  const state = stateOf(1, { networks: [network], ports: [port] })
  plane.faults.forget(port.id)
  const report = await plane.converge(state)
  assert.deepEqual([report.wired, report.problems[0]?.id], [[], port.id])
  plane.faults.restore(port.id)
  assert.equal((await plane.converge(state)).wired.length, 1)
})

test('what the caller changes later does not change what was applied', async () => {
  const plane = fakePlane()
  const network = plainNetwork(1)
  const state = stateOf(1, { networks: [network] })
  await plane.converge(state)
  network.mtu = 9000
  assert.equal(plane.applied?.networks[0]?.mtu, 1450)
})

test('metadata requests reach the handler', async () => {
  const plane = fakePlane()
  assert.equal((await plane.request({ network_id: 'n', source_ip: '10.0.0.5' })).status, 503)
  plane.onMetadata(async ({ source_ip, path }) => ({ status: 200, headers: {}, body: `${source_ip} ${path}` }))
  assert.equal((await plane.request({ network_id: 'n', source_ip: '10.0.0.5' })).body, '10.0.0.5 /')
})
