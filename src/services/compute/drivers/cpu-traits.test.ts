/** Flags of CPUs, as several programs write them, and placement's names. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { standardTraits } from '../../placement/traits/standard-traits.ts'
import { cpuTraits } from './cpu-traits.ts'

test('one capability has one name, whoever reports it (S-101)', () => {
  const asKernel = ['pni', 'sse4_1', 'sha_ni', 'avx512_vnni', 'pclmulqdq', 'avx2', 'bmi1', 'fma', 'constant_tsc']
  const asQemu = ['sse3', 'pni', 'sse4.1', 'sha-ni', 'avx512vnni', 'pclmulqdq', 'avx2', 'bmi1', 'fma', 'check']
  const asLibvirt = ['sse3', 'sse4.1', 'sha-ni', 'avx512vnni', 'pclmuldq', 'avx2', 'bmi1', 'fma', 'tsc']
  const names = ['AVX2', 'AVX512VNNI', 'BMI', 'CLMUL', 'FMA3', 'SHA', 'SSE3', 'SSE41']
  for (const flags of [asKernel, asQemu, asLibvirt])
    assert.deepEqual(
      cpuTraits(flags),
      names.map(name => `HW_CPU_X86_${name}`),
    )
  assert.deepEqual(cpuTraits(['svm']), ['HW_CPU_X86_AMD_SVM', 'HW_CPU_X86_SVM'])
})

test('every name is one that placement knows', () => {
  const flags =
    '3dnow abm aes amd-no-ssb amd-ssbd amx-bf16 amx-int8 amx-tile avx avx512-vpopcntdq avx512bitalg avx512bw avx512cd avx512dq avx512er avx512f avx512ifma avx512pf avx512vbmi avx512vbmi2 avx512vl bmi2 f16c fma4 gfni ibpb md-clear mmx mpx pcid pdpe1gb rtm sgx spec-ctrl ssbd sse sse2 sse4.2 sse4a ssse3 stibp svm tbm vaes virt-ssbd vmx vpclmulqdq xop'
  for (const flag of flags.split(' ')) assert.notEqual(cpuTraits([flag]).length, 0, flag)
  for (const trait of cpuTraits(flags.split(' '))) assert.ok(standardTraits.has(trait), trait)
})
