/** What hosts of the release before are asked for, and what not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inProcessBus } from '#kernel/bus/in-process.ts'
import { serveMethods, UnsupportedVersion } from '#kernel/bus/methods.ts'
import { virtualClock } from '#kernel/clock.ts'
import type { Env } from '#kernel/context.ts'
import { silentLog } from '#kernel/log.ts'
import { type ComputeAgentMethods, computeAgentSubject, plainVersion } from './agent/methods.ts'
import type { GuestSpec, ImageSpec } from './drivers/driver.ts'
import { hostAgent } from './host-agent.ts'
import { mayRetryElsewhere } from './servers/steps.ts'

const stored = (id: string) => ({ id, size: 1, hash_algo: 'sha256', hash_value: '00' })
const whole: ImageSpec = { ...stored('whole'), disk_format: 'qcow2', properties: {} }
const changes: ImageSpec = { ...whole, ...stored('changes'), bases: [stored('whole')] }

test('an image that stands on others is for no host that would take it for a whole disk', async () => {
  const clock = virtualClock()
  const bus = inProcessBus(clock, silentLog())
  const asked: string[] = []
  const old = {
    async spawn({ spec }) {
      asked.push(spec.id)
      return null
    },
    async cacheImage({ image }) {
      asked.push(image.id)
      return 'cached' as const
    },
  } satisfies Partial<ComputeAgentMethods>
  serveMethods(bus, computeAgentSubject('h1'), plainVersion, old)
  const agent = hostAgent({ bus, clock, database: {} } as unknown as Env, 'h1')
  const spec = (id: string, image: ImageSpec): GuestSpec => ({
    ...{ id, name: id, vcpus: 1, memory_mb: 128, nics: [], extra_specs: {} },
    disks: [{ id: 'root', source: { type: 'image', image }, size_gb: 1, boot_index: 0 }],
  })
  await agent.call('spawn', { spec: spec('g1', whole), power_on: true })
  await agent.call('cacheImage', { image: whole })
  const tooOld = (error: unknown) => {
    assert.ok(error instanceof UnsupportedVersion)
    assert.ok(mayRetryElsewhere(error), 'another host may be of this release')
    return true
  }
  await assert.rejects(agent.call('spawn', { spec: spec('g2', changes), power_on: true }), tooOld)
  await assert.rejects(agent.call('cacheImage', { image: changes }), tooOld)
  assert.deepEqual(asked, ['g1', 'whole'])
})
