/** What Node knows of the machine it runs on. */
import { loadavg, networkInterfaces, uptime } from 'node:os'
import type { MachineState } from './methods.ts'

export function machineState(): MachineState {
  const outside = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .find(address => !address.internal && address.family === 'IPv4')
  return {
    address: outside?.address ?? '127.0.0.1',
    uptime_seconds: Math.floor(uptime()),
    load: loadavg().map(value => Math.round(value * 100) / 100),
  }
}
