/** The composition root of a scheduler in a process of its own: its configuration and modules, served on the bus. */
import type { Bus } from '#kernel/bus/bus.ts'
import type { Config } from '#kernel/config/load.ts'
import type { Ids } from '#kernel/ids.ts'
import { loadParts, schedulerSettings } from './services/compute/scheduler-modules.ts'
import { serveScheduler } from './services/compute/scheduler-process.ts'

/** Chooses hosts for the clouds on the bus whose `compute.scheduler.remote` is on, until it is disposed of. */
export async function startScheduler(config: Config, bus: Bus, ids: Ids): Promise<AsyncDisposable> {
  return serveScheduler(bus, schedulerSettings(config, await loadParts(config), ids.random))
}
