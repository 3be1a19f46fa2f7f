/** Servers wait for their ports: what they are told, and when they give up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '#kernel/clock.ts'
import { Fault } from '#kernel/errors.ts'
import { fakePlane } from './drivers/fake.ts'
import { type NetworkCloud, networkWithSubnet } from './fixtures/cloud.ts'
import { hostsCloud } from './fixtures/hosts.ts'

const never = new AbortController().signal
const wire = (cloud: NetworkCloud, server: string, host: string, signal = never) =>
  cloud.env.services.network.wire(cloud.ctx(), server, host, signal)

test('an agent that starts finds what its host must carry, and a server waits for that', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  await wire(cloud, 'web', 'h1')
  const host = cloud.hosts.h1!
  await host.stop()
  // The machine went down with its taps.
  host.plane = fakePlane({ clock: cloud.clock })
  host.plane.faults.delay(2_000)
  await host.start()
  await settle()
  let wired = false
  const waiting = wire(cloud, 'web', 'h1').then(() => {
    wired = true
  })
  await cloud.pass(1_000)
  assert.equal(wired, false)
  await cloud.pass(2_000)
  await waiting
  assert.equal(host.plane.applied!.ports.length, 1)
})

test('a call under way that began too early costs no pause: the next one is enough', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  cloud.hosts.h1!.plane.faults.delay(2_000)
  await cloud.boot(cloud.demo, 'first', network.id, 'h1')
  await cloud.pass(1_000)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  let wired = false
  const waiting = wire(cloud, 'web', 'h1').then(() => {
    wired = true
  })
  await cloud.pass(900)
  assert.equal(wired, false)
  await cloud.pass(100)
  assert.equal(wired, true)
  await waiting
})

test('a port that the host cannot wire fails the server, which may go elsewhere', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  const owner = { server_id: 'web', hostname: 'web', project_id: 'p-demo', availability_zone: 'nova' }
  const ctx = cloud.demo.ctx()
  const [port] = await cloud.env.services.network.claimPorts(ctx, owner, [{ network_id: network.id }], [])
  cloud.hosts.h1!.plane.faults.forget(port!.id)
  await cloud.env.services.network.bindPorts(ctx, 'web', 'h1')
  const failed = assert.rejects(wire(cloud, 'web', 'h1'), (error: unknown) => {
    assert.ok(error instanceof Fault)
    assert.match(error.message, /^Binding failed for port .*: host h1 has not wired it; The port was forgotten/)
    assert.equal(error.extra.retry_elsewhere, true)
    return true
  })
  await cloud.pass(30_000)
  await failed
  const shown = await cloud.admin.show('ports', port!.id)
  assert.deepEqual([shown.status, shown['binding:vif_type']], ['DOWN', 'binding_failed'])
  cloud.hosts.h1!.plane.faults.restore()
  await cloud.pass(10_000)
  assert.equal((await cloud.admin.show('ports', port!.id))['binding:vif_type'], 'bridge')
})

test('a host without an agent is waited for until the time is up', async () => {
  await using cloud = await hostsCloud([], { set: ['network.wire_timeout_seconds=60'] })
  const { network } = await networkWithSubnet(cloud.demo)
  await cloud.boot(cloud.demo, 'web', network.id, 'gone')
  const failed = assert.rejects(wire(cloud, 'web', 'gone'), /did not say so within 60 seconds/)
  await cloud.pass(61_000)
  await failed
})

test('a server that is deleted waits no longer', async () => {
  await using cloud = await hostsCloud(['h1'])
  const { network } = await networkWithSubnet(cloud.demo)
  cloud.hosts.h1!.plane.faults.delay(3_600_000)
  await cloud.boot(cloud.demo, 'web', network.id, 'h1')
  const deleted = new AbortController()
  const failed = assert.rejects(wire(cloud, 'web', 'h1', deleted.signal), /deleted/)
  await settle()
  deleted.abort(new Error('deleted'))
  await failed
  await cloud.pass(3_600_000)
})
