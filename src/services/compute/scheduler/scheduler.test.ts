/** Choosing hosts: who is refused and why, who comes first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { satisfies } from './extra-specs.ts'
import { type HostState, type ScheduleRequest, schedule, take } from './scheduler.ts'

const host = (name: string, patch: Partial<HostState> = {}): HostState => ({
  host: name,
  node: name,
  provider: `rp-${name}`,
  zone: 'nova',
  enabled: true,
  disabled_reason: null,
  up: true,
  arch: 'x86_64',
  hypervisor_type: 'QEMU',
  hypervisor_version: 7_002_000,
  free_vcpus: 8,
  free_ram_mb: 8192,
  aggregate_metadata: {},
  ...patch,
})

const request = (patch: Partial<ScheduleRequest> = {}): ScheduleRequest => ({
  vcpus: 1,
  ram_mb: 512,
  zone: undefined,
  image_properties: {},
  extra_specs: {},
  same_host: undefined,
  different_host: [],
  group: undefined,
  ignore: [],
  ...patch,
})

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

const run = (asked: ScheduleRequest, hosts: HostState[], weights = { ram: 1, cpu: 1 }) =>
  schedule(asked, hosts, { filters, weights, random: () => 0.5, keep: 10 })
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
  const packed = run(request(), hosts, { ram: -1, cpu: -1 }).best
  assert.equal(packed[0]?.host, 'full')
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
        weights: { ram: 1, cpu: 1 },
        random: () => 0,
        keep: 1,
      }),
    /"NoFilter".*ComputeFilter/,
  )
})
