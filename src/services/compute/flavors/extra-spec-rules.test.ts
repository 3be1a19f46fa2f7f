import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkExtraSpec } from './extra-spec-rules.ts'

const known = { traits: new Set(['HW_CPU_X86_AVX2']), resourceClasses: new Set(['VGPU']) }

/** The reason for a refusal, or undefined. */
function refusal(name: string, value: string): string | undefined {
  try {
    checkExtraSpec(name, value, known)
    return undefined
  } catch (error) {
    return (error as Error).message.replace('Validation failed; ', '')
  }
}

test('known extra specs hold what they may', () => {
  for (const [name, value] of [
    ['hw:cpu_policy', 'dedicated'],
    ['hw:numa_nodes', '2'],
    ['hw:numa_cpus.0', '0-1,3'],
    ['hw:numa_mem.1', '512'],
    ['hw:mem_page_size', '1GB'],
    ['hw:boot_menu', 'yes'],
    ['hw_rng:allowed', 'True'],
    ['quota:disk_read_iops_sec', '1000'],
    ['quota:cpu_quota', '-1'],
    ['resources:VGPU', '1'],
    ['resources1:CUSTOM_THING', '1'],
    ['trait:HW_CPU_X86_AVX2', 'required'],
    ['trait_A:CUSTOM_X', 'forbidden'],
    ['capabilities:cpu_info:features', '<in> avx'],
    ['aggregate_instance_extra_specs:ssd', 'true'],
    ['pci_passthrough:alias', 'gpu:1, nic:2'],
    ['group_policy', 'isolate'],
    ['my_own', 'anything'],
    ['ours:whatever', 'anything'],
  ] as const)
    assert.equal(refusal(name, value), undefined, name)
})

test('values that make no sense, and names that nobody knows in a known namespace, are refused', () => {
  const unknown = (name: string) => `extra spec '${name}' does not appear to be a valid extra spec.`
  for (const [name, value, why] of [
    ['hw:cpu_policy', 'sometimes', "'sometimes' is not one of: dedicated, shared, mixed."],
    ['hw:numa_nodes', 'two', "'two' is not a valid integer value."],
    ['hw:numa_nodes', '0', "'0' is less than the min value of '1'."],
    ['hw:redirected_usb_ports', '16', "'16' is greater than the max value of '15'."],
    ['hw:boot_menu', 'perhaps', "'perhaps' is not a valid boolean-like value."],
    ['hw:numa_cpus.0', 'all', "'all' is not of the format '\\^?\\d+((-\\d+)?(,\\^?\\d+(-\\d+)?)?)*'."],
    ['trait:HW_CPU_X86_AVX2', 'preferred', "'preferred' is not one of: required, forbidden."],
    ['hw:numa_nodez', '1', unknown('hw:numa_nodez')],
    ['resources:NONE', '1', unknown('resources:NONE')],
    ['trait:HW_CPU_X86_NONE', 'required', unknown('trait:HW_CPU_X86_NONE')],
    ['quota:constructor', '1', unknown('quota:constructor')],
  ] as const)
    assert.equal(refusal(name, value), why, name)
})
