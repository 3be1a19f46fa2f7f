/** Which test runs where. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chosenParts, filesOf, order, parts } from './test-plan.ts'

const files = new Map([
  ['src/kernel/ids.test.ts', ''],
  ['src/services/image/images/store.test.ts', "import { onEachEngine } from '../../../../test/engines.ts'"],
  ['src/services/compute/servers/crash-disks.test.ts', "import { onEachEngine } from '../../../../test/engines.ts'"],
  ['test/attacks/wire.test.ts', ''],
  ['src/services/network/drivers/linux/linux.test.ts', ''],
  ['src/services/network/drivers/fake.test.ts', ''],
  ['src/services/network/hosts/packets.test.ts', ''],
  ['src/services/compute/drivers/qemu/qemu.test.ts', ''],
  ['src/kernel/bus/wire.real.test.ts', ''],
  ['test/journeys/first-server.test.ts', "import { testCloud } from '../harness.ts'"],
  ['test/harness.ts', ''],
])

test('each test file belongs to one part; PostgreSQL goes over some of those that need nothing again', () => {
  assert.deepEqual(filesOf('packets', files), [
    'src/services/network/drivers/linux/linux.test.ts',
    'src/services/network/hosts/packets.test.ts',
  ])
  assert.deepEqual(filesOf('guests', files), ['src/services/compute/drivers/qemu/qemu.test.ts'])
  assert.deepEqual(filesOf('journeys', files), ['test/journeys/first-server.test.ts'])
  assert.deepEqual(filesOf('real', files), ['src/kernel/bus/wire.real.test.ts'])
  assert.deepEqual(filesOf('clouds', files), [
    'src/services/compute/servers/crash-disks.test.ts',
    'test/attacks/wire.test.ts',
  ])
  const unit = [
    'src/kernel/ids.test.ts',
    'src/services/image/images/store.test.ts',
    'src/services/network/drivers/fake.test.ts',
  ]
  assert.deepEqual(filesOf('unit', files), unit)
  assert.deepEqual(filesOf('postgres', files), [
    'src/services/image/images/store.test.ts',
    'src/services/compute/servers/crash-disks.test.ts',
  ])
})

test('parts are chosen by name, and run in the order of the plan', () => {
  assert.deepEqual(
    chosenParts(undefined),
    order.filter(name => name !== 'nightly'),
  )
  assert.deepEqual(chosenParts('nightly'), ['nightly'])
  assert.deepEqual(chosenParts('quick'), ['check', 'unit'])
  assert.deepEqual(chosenParts('journeys, unit'), ['unit', 'journeys'])
  assert.throws(() => chosenParts('unit,fast'), /no part 'fast'/)
  assert.deepEqual(order.toSorted(), ['check', ...parts.map(part => part.name)].toSorted())
})
