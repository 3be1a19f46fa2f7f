import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud } from '../fixtures/compute-cloud.ts'
import { usageAuditing } from '../reconcilers/usage-audits.ts'
import { lastPeriod } from './usage-audit.ts'

interface Log {
  period_beginning: string
  period_ending: string
  num_hosts: number
  num_hosts_done: number
  hosts_not_run: string[]
  total_instances: number
  overall_status: string
  log: Record<string, { state: string; instances: number }>
}
const path = '/os-instance_usage_audit_log'

test('a period ends where its unit does, and never in the future', () => {
  const at = (text: string) => Date.parse(`${text}Z`)
  const shown = (setting: string, before: string) => {
    const { begin, end } = lastPeriod(setting, at(before))
    return [begin, end].map(ms => new Date(ms).toISOString().slice(0, 16))
  }
  assert.deepEqual(shown('month', '2026-01-15T10:00:00'), ['2025-12-01T00:00', '2026-01-01T00:00'])
  assert.deepEqual(shown('month@20', '2026-01-15T10:00:00'), ['2025-11-20T00:00', '2025-12-20T00:00'])
  assert.deepEqual(shown('day', '2026-03-01T00:00:00'), ['2026-02-27T00:00', '2026-02-28T00:00'])
  assert.deepEqual(shown('day@18', '2026-03-01T17:00:00'), ['2026-02-27T18:00', '2026-02-28T18:00'])
  assert.deepEqual(shown('hour@15', '2026-03-01T17:20:00'), ['2026-03-01T16:15', '2026-03-01T17:15'])
  assert.deepEqual(shown('year@3', '2026-02-01T00:00:00'), ['2024-03-01T00:00', '2025-03-01T00:00'])
})

onEachEngine('every host tells of its servers once a period', async database => {
  await using cloud = await computeCloud({ database, set: ['compute.usage_audit.enabled=true'] })
  await cloud.report('h1')
  await cloud.report('h2')
  const log = async () => (await cloud.call<{ instance_usage_audit_logs: Log }>('admin', 'GET', path)).body
  const before = (await log()).instance_usage_audit_logs
  assert.deepEqual([before.num_hosts, before.hosts_not_run], [2, ['h1', 'h2']])
  assert.equal(before.overall_status, '0 of 2 hosts done. 0 errors.')
  await usageAuditing.run(cloud.ctx())
  await usageAuditing.run(cloud.ctx())
  const after = (await log()).instance_usage_audit_logs
  assert.deepEqual([after.num_hosts_done, after.hosts_not_run, Object.keys(after.log)], [2, [], ['h1', 'h2']])
  assert.equal(after.overall_status, 'ALL hosts done. 0 errors.')
})

test('the log of an earlier period is asked for by a time after it', async () => {
  await using cloud = await computeCloud({ clock: virtualClock(Date.parse('2026-05-05T05:05:05Z')) })
  const at = (text: string) =>
    cloud.call<{ instance_usage_audit_log: Log }>('admin', 'GET', `${path}/${encodeURIComponent(text)}`)
  const { instance_usage_audit_log: shown } = (await at('2026-03-04 05:06:07.5')).body
  assert.deepEqual([shown.period_beginning, shown.period_ending], ['2026-02-01 00:00:00', '2026-03-01 00:00:00'])
  assert.equal((await at('yesterday')).status, 400)
  assert.equal((await cloud.call('alice', 'GET', path)).status, 403)
  assert.equal((await cloud.call('admin', 'GET', `${path}?x=1`, undefined, '2.90')).status, 200)
})
