/** Each filter by itself: whom it lets pass, whom it refuses, and what it says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FilterSettings, filtersByName } from './filters.ts'
import { host, request, settings } from './fixtures/snapshot.ts'
import { queryOf } from './json-filter.ts'
import type { HostState, ScheduleRequest } from './scheduler.ts'

const passes = (name: string, on: HostState, asked = request(), set: Partial<FilterSettings> = {}) => {
  const refusal = filtersByName[name]!(on, asked, { ...settings, ...set })
  if (refusal) for (const text of [refusal.asked, refusal.had]) assert.notEqual(text, '')
  return refusal === undefined
}
const tagged = (metadata: Record<string, string[]>) => host('a', { aggregate_metadata: metadata })

test('all hosts pass when all hosts may', () => {
  assert.ok(passes('AllHostsFilter', host('a', { up: false, enabled: false })))
})

test('a value of an aggregate may be a list, and those of several aggregates count together', () => {
  const wish = request({ extra_specs: { 'aggregate_instance_extra_specs:disk': 'ssd' } })
  assert.ok(passes('AggregateInstanceExtraSpecsFilter', tagged({ disk: ['hdd, ssd'] }), wish))
  assert.ok(passes('AggregateInstanceExtraSpecsFilter', tagged({ disk: ['hdd', 'ssd'] }), wish))
  assert.ok(!passes('AggregateInstanceExtraSpecsFilter', tagged({ disk: ['hdd'] }), wish))
  assert.ok(!passes('AggregateInstanceExtraSpecsFilter', host('a'), wish))
})

test('an aggregate for images of a kind takes those, and images that do not say', () => {
  const windows = tagged({ os_distro: ['windows,win'] })
  const image = (os_distro: string) => request({ image_properties: { os_distro } })
  assert.ok(passes('AggregateImagePropertiesIsolation', windows, image('windows')))
  assert.ok(!passes('AggregateImagePropertiesIsolation', windows, image('debian')))
  assert.ok(passes('AggregateImagePropertiesIsolation', windows))
  assert.ok(passes('AggregateImagePropertiesIsolation', host('a'), image('debian')))
})

test('an aggregate for some projects takes no others; other hosts take all', () => {
  const theirs = tagged({ filter_tenant_id: ['p2'], filter_tenant_id_more: ['p3, p4'] })
  const of = (project_id: string) => request({ project_id })
  assert.deepEqual(
    ['p1', 'p2', 'p3', 'p4'].filter(id => passes('AggregateMultiTenancyIsolation', theirs, of(id))),
    ['p2', 'p3', 'p4'],
  )
  assert.ok(passes('AggregateMultiTenancyIsolation', tagged({ ssd: ['true'] }), of('p1')))
})

test('an aggregate for some flavors takes no others', () => {
  const small = tagged({ instance_type: ['m1.tiny, m1.small'] })
  assert.ok(passes('AggregateTypeAffinityFilter', small))
  assert.ok(!passes('AggregateTypeAffinityFilter', small, request({ flavor: 'm1.large' })))
  assert.ok(passes('AggregateTypeAffinityFilter', host('a'), request({ flavor: 'm1.large' })))
})

test('a host takes so many servers, and so many that are being built; aggregates may say how many', () => {
  const full = host('a', { servers: 50, io_ops: 8 })
  assert.ok(!passes('NumInstancesFilter', full) && !passes('IoOpsFilter', full))
  const set = { max_instances_per_host: 51, max_io_ops_per_host: 9 }
  assert.ok(passes('NumInstancesFilter', full, request(), set) && passes('IoOpsFilter', full, request(), set))
  const limits = { max_instances_per_host: ['80', '60', 'many'], max_io_ops_per_host: ['9'] }
  const roomy = host('a', { servers: 59, io_ops: 8, aggregate_metadata: limits })
  assert.ok(passes('AggregateNumInstancesFilter', roomy) && passes('AggregateIoOpsFilter', roomy))
  assert.ok(!passes('AggregateNumInstancesFilter', { ...roomy, servers: 60 }), 'the least of them counts')
  assert.ok(!passes('AggregateIoOpsFilter', { ...roomy, io_ops: 9 }))
})

test('isolated images run on isolated hosts, and as a rule nothing else does', () => {
  const set = { isolated_hosts: ['safe'], isolated_images: ['secret'] }
  const [secret, other] = [request({ image_id: 'secret' }), request({ image_id: undefined })]
  const seen = (restrict: boolean) =>
    ['safe', 'common'].flatMap(name =>
      [secret, other].map(asked =>
        passes('IsolatedHostsFilter', host(name), asked, {
          ...set,
          restrict_isolated_hosts_to_isolated_images: restrict,
        }),
      ),
    )
  assert.deepEqual(seen(true), [true, false, false, true])
  assert.deepEqual(seen(false), [true, true, false, true])
})

test('users ask of hosts in JSON', () => {
  const asking = (text: string): ScheduleRequest => request({ query: { text, read: queryOf(text) } })
  const on = host('a', { free_ram_mb: 2048, free_disk_gb: 10, servers: 3, signals: { rack: 'r1' } })
  for (const text of [
    '[">=", "$free_ram_mb", 2048]',
    '["and", [">=", "$free_ram_mb", 1024], [">", "$free_disk_mb", 10000]]',
    '["or", ["=", "$host", "b"], ["in", "$host", "a", "c"]]',
    '["not", ["=", "$hypervisor_type", "xen"]]',
    '["<", "$num_instances", 4, 5]',
    '["=", "$signals.rack", "r1"]',
    '[]',
  ]) {
    assert.ok(passes('JsonFilter', on, asking(text)), text)
  }
  for (const text of [
    '[">=", "$free_ram_mb", 4096]',
    '["and", [">=", "$free_ram_mb", 1024], ["=", "$host", "b"]]',
    '["=", "$free_ram_mb"]',
    '["=", "$no_such_figure", 1]',
    '["no such operator", 1, 1]',
    '{"not": "a list"}',
    'not JSON',
    `${'["and",'.repeat(50)}["=",1,1]${']'.repeat(50)}`,
    '["constructor", 1]',
  ]) {
    assert.ok(!passes('JsonFilter', on, asking(text)), text)
  }
  assert.ok(passes('JsonFilter', on), 'nobody asked')
})

test('what daemons say of a host counts; where they say nothing, only flavors mind', () => {
  const set = { wanted_signals: ['temperature <= 60', 'raid s!= degraded'] }
  const says = (signals: HostState['signals']) => host('a', { signals })
  assert.ok(passes('HostSignalsFilter', host('a'), request(), set))
  assert.ok(passes('HostSignalsFilter', says({ temperature: 60, raid: 'fine' }), request(), set))
  assert.ok(!passes('HostSignalsFilter', says({ temperature: 61 }), request(), set))
  assert.ok(!passes('HostSignalsFilter', says({ raid: 'degraded' }), request(), set))
  const wish = request({ extra_specs: { 'signals:rack': 'r1', 'signals:cooled': 'true' } })
  assert.ok(passes('HostSignalsFilter', says({ rack: 'r1', cooled: true }), wish))
  assert.ok(!passes('HostSignalsFilter', says({ rack: 'r1' }), wish))
})

test('hosts near an address are those of its range', () => {
  const near = (address: string, prefix: number) => request({ near: { address, prefix } })
  const on = host('a', { ip: '192.0.2.77' })
  assert.ok(passes('SimpleCIDRAffinityFilter', on, near('192.0.2.1', 24)))
  assert.ok(!passes('SimpleCIDRAffinityFilter', on, near('192.0.2.1', 26)))
  assert.ok(!passes('SimpleCIDRAffinityFilter', on, near('192.0.2.1', 64)), 'a range that is none')
  assert.ok(passes('SimpleCIDRAffinityFilter', host('a', { ip: '2001:db8::7' }), near('2001:db8::1', 64)))
  assert.ok(passes('SimpleCIDRAffinityFilter', on))
})
