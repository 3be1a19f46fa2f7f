/** Actions on hosts that take as long as they may: none is given up before its call is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import type { FakeMethod } from '../drivers/fake-faults.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, tiny } from './fixtures/world.ts'

const graceMinutes = 40

interface Slow {
  action: object
  method: FakeMethod
  /** A little less than the call may take. */
  minutes: number
  /** What the server is in the end. */
  status: string
  before?: object
}

const backup = { name: 'copy', backup_type: 'incremental', rotation: 2 }

const slow: Record<string, Slow> = {
  createImage: { action: { createImage: { name: 'copy' } }, method: 'snapshot', minutes: 59, status: 'ACTIVE' },
  createBackup: { action: { createBackup: backup }, method: 'backup', minutes: 59, status: 'ACTIVE' },
  shelve: { action: { shelve: null }, method: 'snapshot', minutes: 59, status: 'SHELVED_OFFLOADED' },
  rebuild: { action: { rebuild: { imageRef: tiny } }, method: 'spawn', minutes: 19, status: 'ACTIVE' },
  rescue: { action: { rescue: null }, method: 'reshape', minutes: 19 + graceMinutes, status: 'RESCUE' },
  unrescue: {
    ...{ before: { rescue: null }, action: { unrescue: null } },
    ...{ method: 'reshape', minutes: 19 + graceMinutes, status: 'ACTIVE' },
  },
  stop: { action: { 'os-stop': null }, method: 'stop', minutes: graceMinutes, status: 'SHUTOFF' },
  reboot: { action: { reboot: { type: 'SOFT' } }, method: 'reboot', minutes: graceMinutes, status: 'ACTIVE' },
}

for (const [name, { action, method, minutes, status, before }] of Object.entries(slow)) {
  test(`${name} on a host that takes ${minutes} minutes`, async () => {
    const clock = virtualClock()
    const set = [`compute.stop_grace_seconds=${graceMinutes * 60}`]
    await using cloud = await serverCloud({ world: await newWorld(clock), set })
    const demo = await cloud.project('p1')
    const { id } = await cloud.boot(demo)
    const act = (body: object) => cloud.api(demo, 'POST', `/servers/${id}/action`, body)
    if (before) {
      await act(before)
      await cloud.env.sagas.idle()
    }
    const hit = new Promise<void>(resolve =>
      cloud.drivers.h1!.inject({ method, delayMs: minutes * 60_000, hit: () => resolve() }),
    )
    const answer = await act(action)
    assert.ok(answer.status < 300, JSON.stringify(answer.body))
    await hit
    await clock.advance(minutes * 60_000)
    await cloud.env.sagas.idle()
    const shown = await cloud.show(demo, id)
    assert.deepEqual([shown.status, shown.fault], [status, undefined])
    type Actions = { instanceActions: { action: string; message: string | null }[] }
    const { body } = await cloud.api<Actions>(demo, 'GET', `/servers/${id}/os-instance-actions`)
    assert.equal(body.instanceActions.find(one => one.action === name)!.message, null)
  })
}
