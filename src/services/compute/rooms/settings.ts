/** Settings about devices, read once at the start: what means nothing must not come out with the first server. */
import type { Env } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import { offeredDevices, pciAliases } from '../scheduler/pci.ts'

/** Throws with the setting that is wrong. */
export function checkDeviceSettings(env: Pick<Env, 'config'>): void {
  const { alias, device_spec } = env.config.of(computeConfig).pci
  pciAliases(alias)
  offeredDevices([], device_spec)
}
