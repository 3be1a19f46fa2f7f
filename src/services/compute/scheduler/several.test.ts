/** Hosts for several servers of one request: as if they had been chosen one after another. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { host, request, settings, weights } from './fixtures/snapshot.ts'
import type { HostState, ScheduleRequest } from './scheduler.ts'
import { chooseSeveral } from './several.ts'

const filters = ['ComputeFilter', 'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter', 'NumInstancesFilter']
const chosen = (asked: ScheduleRequest, hosts: HostState[], count: number, ram = 1) =>
  chooseSeveral(
    asked,
    hosts,
    {
      filters,
      settings: { ...settings, max_instances_per_host: 3 },
      weights: weights({ ram }),
      random: () => 0.5,
      keep: 1,
    },
    count,
  ).map(one => one.host)

test('each sees what the ones before took, and what it was given stays as it was', () => {
  const hosts = [host('a', { free_ram_mb: 4096 }), host('b', { free_ram_mb: 3072 })]
  const before = structuredClone(hosts)
  assert.deepEqual(chosen(request({ ram_mb: 1024 }), hosts, 4), ['a', 'a', 'b', 'a'])
  assert.deepEqual(hosts, before)
})

test('a host without room for another, or that a filter refuses from then on, gets no more', () => {
  assert.deepEqual(chosen(request({ ram_mb: 4096 }), [host('a'), host('b', { free_ram_mb: 5000 })], 5), ['a', 'b', 'a'])
  assert.deepEqual(chosen(request({ ram_mb: 1 }), [host('a'), host('b', { up: false })], 5), ['a', 'a', 'a'])
})

test('members of a group are counted as they are placed, and only in what is made here', () => {
  const group = { policy: 'anti-affinity' as const, max_per_host: 1, members: { c: 1 } }
  const hosts = ['a', 'b', 'c'].map(name => host(name))
  assert.deepEqual(chosen(request({ group }), hosts, 3).sort(), ['a', 'b'])
  assert.deepEqual(group.members, { c: 1 })
  const together = { ...group, policy: 'affinity' as const, members: {} }
  assert.equal(new Set(chosen(request({ group: together }), hosts, 3)).size, 1)
})
