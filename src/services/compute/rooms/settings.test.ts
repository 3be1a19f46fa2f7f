/** Settings about devices and CPUs that mean nothing are refused at the start. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '#kernel/config/load.ts'
import { computeConfig } from '../config.ts'
import { checkDeviceSettings } from './settings.ts'

const configured = (...overrides: string[]) => ({ config: loadConfig([computeConfig], { overrides }) })
const list = (...texts: unknown[]) =>
  JSON.stringify(texts.map(text => (typeof text === 'string' ? text : JSON.stringify(text))))

test('devices that are described well are taken', () => {
  const alias = list({ name: 'nic', vendor_id: '8086', product_id: '1563', numa_policy: 'required' })
  checkDeviceSettings(
    configured(`compute.pci.alias=${alias}`, `compute.pci.device_spec=${list({ address: '81:00.*' })}`),
  )
})

for (const [what, override, says] of [
  [
    'an alias without a kind',
    `compute.pci.alias=${list({ name: 'nic' })}`,
    /needs a name, and vendor_id with product_id/,
  ],
  [
    'a policy that there is not',
    `compute.pci.alias=${list({ name: 'n', resource_class: 'x', numa_policy: 'near' })}`,
    /numa_policy is one of/,
  ],
  [
    'a spec that is no object',
    `compute.pci.device_spec=${list('8086')}`,
    /compute.pci.device_spec: 8086 is no JSON object/,
  ],
  ['CPUs that are no list', 'compute.hosts.cpu_dedicated_set=all', /cpu_dedicated_set/],
] as const)
  test(`refused: ${what}`, () => assert.throws(() => checkDeviceSettings(configured(override)), says))
