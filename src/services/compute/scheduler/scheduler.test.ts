/** Choosing hosts: who is refused and why, who comes first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { satisfies } from './extra-specs.ts'
import { host, request, settings, weights } from './fixtures/snapshot.ts'
import { type HostState, type ScheduleRequest, schedule, take } from './scheduler.ts'

const filters = [
  'ComputeFilter',
  'AvailabilityZoneFilter',
  'ComputeCapabilitiesFilter',
  'AggregateInstanceExtraSpecsFilter',
  'ImagePropertiesFilter',
  'ServerGroupAntiAffinityFilter',
  'ServerGroupAffinityFilter',
  'SameHostFilter',
  'DifferentHostFilter',
  'RamFilter',
  'CoreFilter',
]

const run = (asked: ScheduleRequest, hosts: HostState[], weighing = weights({ ram: 1, cpu: 1 })) =>
  schedule(asked, hosts, { filters, settings, weights: weighing, random: () => 0.5, keep: 10 })
const names = (asked: ScheduleRequest, hosts: HostState[]) => run(asked, hosts).best.map(h => h.host)

test('each refusal names its rule, what was asked and what the host had', () => {
  const cases: [HostState, ScheduleRequest, string, RegExp][] = [
    [host('a', { up: false }), request(), 'ComputeFilter', /down/],
    [host('a', { enabled: false, disabled_reason: 'broken fan' }), request(), 'ComputeFilter', /broken fan/],
    [host('a', { zone: 'z2' }), request({ zone: 'z1' }), 'AvailabilityZoneFilter', /z2/],
    [host('a', { free_ram_mb: 100 }), request(), 'RamFilter', /100 MiB/],
    [host('a', { free_vcpus: 0 }), request(), 'CoreFilter', /0 free/],
    [host('a'), request({ image_properties: { hw_architecture: 'aarch64' } }), 'ImagePropertiesFilter', /x86_64/],
    [host('a'), request({ image_properties: { img_hv_type: 'xen' } }), 'ImagePropertiesFilter', /qemu/],
    [host('a'), request({ same_host: ['b'] }), 'SameHostFilter', /a/],
    [host('a'), request({ different_host: ['a'] }), 'DifferentHostFilter', /a/],
    [
      host('a'),
      request({ extra_specs: { 'capabilities:hypervisor_type': 's== ironic' } }),
      'ComputeCapabilitiesFilter',
      /QEMU/,
    ],
    [
      host('a', { aggregate_metadata: { ssd: ['false'] } }),
      request({ extra_specs: { 'aggregate_instance_extra_specs:ssd': 'true' } }),
      'AggregateInstanceExtraSpecsFilter',
      /false/,
    ],
    [
      host('a'),
      request({ group: { policy: 'anti-affinity', max_per_host: 1, members: { a: 1 } } }),
      'ServerGroupAntiAffinityFilter',
      /1 of the group/,
    ],
    [
      host('a'),
      request({ group: { policy: 'affinity', max_per_host: 1, members: { b: 1 } } }),
      'ServerGroupAffinityFilter',
      /a/,
    ],
    [host('a'), request({ ignore: ['a'] }), 'RetryFilter', /tried/],
  ]
  for (const [state, asked, rule, had] of cases) {
    const [refusal] = run(asked, [state]).refused
    assert.equal(refusal?.filter, rule)
    assert.match(refusal?.had ?? '', had)
    assert.notEqual(refusal?.asked, '')
  }
})

test('images for amd64 and kvm run on x86_64 QEMU hosts', () => {
  const image = { hw_architecture: 'amd64', img_hv_type: 'kvm' }
  assert.deepEqual(names(request({ image_properties: image }), [host('a')]), ['a'])
})

test('the emptiest host comes first, and the fullest when weights are negative', () => {
  const hosts = [host('full', { free_ram_mb: 1024, free_vcpus: 2 }), host('empty'), host('half', { free_ram_mb: 4096 })]
  assert.deepEqual(names(request(), hosts), ['empty', 'half', 'full'])
  const packed = run(request(), hosts, weights({ ram: -1, cpu: -1 })).best
  assert.equal(packed[0]?.host, 'full')
})

test('an aggregate packs its hosts while all others are spread', () => {
  const pool = (name: string, free: number) =>
    host(name, { free_ram_mb: free, aggregate_metadata: { ram_weight_multiplier: ['-1', '3'], pool: ['packed'] } })
  const packed = [pool('b-full', 1024), pool('b-empty', 8192)]
  const spread = [host('a-full', { free_ram_mb: 1024 }), host('a-empty')]
  const best = run(request(), [...packed, ...spread], weights({ ram: 1 })).best.map(one => one.host)
  assert.deepEqual(best.slice(0, 1), ['a-empty'])
  assert.ok(best.indexOf('b-full') < best.indexOf('b-empty'), best.join(', '))
})

test('hosts where much is being built can be kept for later', () => {
  const hosts = [host('busy', { servers: 2, io_ops: 2 }), host('calm', { servers: 4, free_ram_mb: 4096 })]
  assert.equal(run(request(), hosts, weights({ ram: 1 })).best[0]?.host, 'busy')
  assert.equal(run(request(), hosts, weights({ ram: 1, io_ops: -2 })).best[0]?.host, 'calm')
  assert.equal(run(request(), hosts, weights({ num_instances: 1 })).best[0]?.host, 'calm')
})

test('a soft group wish outweighs spreading', () => {
  const hosts = [host('crowded', { free_ram_mb: 1024, free_vcpus: 2 }), host('empty')]
  const group = { policy: 'soft-affinity' as const, max_per_host: 1, members: { crowded: 2 } }
  assert.deepEqual(names(request({ group }), hosts), ['crowded', 'empty'])
  assert.deepEqual(names(request({ group: { ...group, policy: 'soft-anti-affinity' } }), hosts), ['empty', 'crowded'])
})

test('servers of one request see what those before them took', () => {
  const hosts = [host('a'), host('b')]
  const asked = request({ group: { policy: 'anti-affinity', max_per_host: 1, members: {} } })
  const chosen = [0, 1].map(() => {
    const best = run(asked, hosts).best[0]!
    take(best, asked)
    return best.host
  })
  assert.deepEqual(chosen.sort(), ['a', 'b'])
  assert.deepEqual(run(asked, hosts).best, [])
})

test('the language of extra specs', () => {
  assert.ok(satisfies(8, '>= 5') && satisfies(8, '= 8') && !satisfies(8, '< 5') && satisfies(8, '!= 7'))
  assert.ok(satisfies('abc', 's== abc') && satisfies('abc', '<in> b') && satisfies('b', '<or> a <or> b'))
  assert.ok(satisfies('plain', 'plain') && !satisfies(undefined, 'x') && !satisfies('c', '<or> a <or> b'))
})

test('an unknown filter in the configuration is named with those that exist', () => {
  assert.throws(
    () =>
      schedule(request(), [host('a')], {
        filters: ['NoFilter'],
        settings,
        weights: weights({ ram: 1, cpu: 1 }),
        random: () => 0,
        keep: 1,
      }),
    /"NoFilter".*ComputeFilter/,
  )
})
