/** Placement's names of what a CPU can do, by the flags that drivers report: one table, whatever driver it is. */

/** By the flag without `.`, `-` and `_`, in which the kernel, QEMU and libvirt differ. */
const endings: Record<string, readonly string[]> = {
  ...same('3dnow abm amxbf16 amxint8 amxtile avx avx2 bmi2 f16c fma4 mmx mpx pdpe1gb sgx sse sse2 sse3 sse41 sse42'),
  ...same('sse4a ssse3 stibp tbm xop'),
  ...same('avx512bitalg avx512bw avx512cd avx512dq avx512er avx512f avx512ifma avx512pf avx512vbmi avx512vbmi2'),
  ...same('avx512vl avx512vnni avx512vpopcntdq'),
  aes: ['AESNI'],
  amdnossb: ['AMD_NO_SSB'],
  amdssbd: ['AMD_SSBD'],
  bmi1: ['BMI'],
  fma: ['FMA3'],
  gfni: ['AVX512GFNI'],
  ibpb: ['AMD_IBPB'],
  mdclear: ['INTEL_MD_CLEAR'],
  pcid: ['INTEL_PCID'],
  pclmuldq: ['CLMUL'],
  pclmulqdq: ['CLMUL'],
  pni: ['SSE3'],
  rtm: ['TSX'],
  shani: ['SHA'],
  specctrl: ['INTEL_SPEC_CTRL'],
  ssbd: ['INTEL_SSBD'],
  svm: ['SVM', 'AMD_SVM'],
  vaes: ['AVX512VAES'],
  virtssbd: ['AMD_VIRT_SSBD'],
  vmx: ['VMX', 'INTEL_VMX'],
  vpclmulqdq: ['AVX512VPCLMULQDQ'],
}

function same(flags: string): Record<string, readonly string[]> {
  return Object.fromEntries(flags.split(' ').map(flag => [flag, [flag.toUpperCase()]]))
}

/** Flags that have no name there are left out. */
export function cpuTraits(flags: readonly string[]): string[] {
  const found = flags.flatMap(flag => endings[flag.toLowerCase().replaceAll(/[._-]/g, '')] ?? [])
  return [...new Set(found)].map(ending => `HW_CPU_X86_${ending}`).sort()
}
