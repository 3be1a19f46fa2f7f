/** Drivers choose among the hosts that they are told of. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from './decide.ts'
import { host, request, settings, weights } from './fixtures/snapshot.ts'

test('a driver that takes only so many hosts is told of those that the weights find best', async () => {
  const told: string[] = []
  const driver = {
    most: 2,
    choose(_: unknown, hosts: readonly { host: string }[]) {
      told.push(...hosts.map(one => one.host))
      return { hosts: ['small', hosts[1]!.host] }
    },
  }
  const hosts = [
    host('small', { free_ram_mb: 1024 }),
    host('large', { free_ram_mb: 8192 }),
    host('middle', { free_ram_mb: 4096 }),
    host('down', { up: false, free_ram_mb: 9000 }),
  ]
  const options = {
    filters: ['ComputeFilter'],
    settings,
    weights: weights({ ram: 1 }),
    random: () => 0.5,
    keep: 8,
    driver,
  }
  const { best } = await decide(request(), hosts, options)
  assert.deepEqual(told, ['large', 'middle'])
  assert.deepEqual(
    best.map(one => one.host),
    ['middle'],
    'what it was not told of is not chosen',
  )
})
