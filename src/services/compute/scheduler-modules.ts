/** Loads the modules that operators name: filters, weighers and hints of their own, and a driver. Once a process, when it starts. */
import { pathToFileURL } from 'node:url'
import type { Bus } from '#kernel/bus/bus.ts'
import type { Config } from '#kernel/config/load.ts'
import { type Env, perCloud } from '#kernel/context.ts'
import { computeConfig } from './config.ts'
import { type Driver, type Extensions, noExtensions } from './scheduler/extensions.ts'
import { filtersByName } from './scheduler/filters.ts'
import type { SchedulerOptions } from './scheduler/scheduler.ts'
import { remoteDriver } from './scheduler-process.ts'

export interface Loaded {
  extensions: Extensions
  driver: Driver | undefined
}

const held = perCloud<{ loaded: Loaded }>(() => ({ loaded: { extensions: noExtensions, driver: undefined } }))

/** What this process has loaded. */
export const schedulerParts = (env: Env): Loaded => held(env).loaded

export async function loadSchedulerModules(env: Env): Promise<void> {
  held(env).loaded = await loadParts(env.config, env.bus)
}

/** Throws when a module is not there, or offers nothing that is understood. `bus` leads to a scheduler in a process of its own. */
export async function loadParts(config: Config, bus?: Bus): Promise<Loaded> {
  const { modules, driver, remote } = config.of(computeConfig).scheduler
  const parts = await Promise.all(modules.map(load))
  const extensions: Extensions = {
    filters: Object.assign({}, ...parts.map(part => part.filters)),
    weighers: Object.assign({}, ...parts.map(part => part.weighers)),
    hints: parts.flatMap(part => part.hints ?? []),
  }
  const taken = Object.keys(extensions.filters).find(name => Object.hasOwn(filtersByName, name))
  if (taken) throw new Error(`compute.scheduler.modules: there is a filter ${taken} already: give yours another name.`)
  if (remote && bus) return { extensions, driver: remoteDriver(bus) }
  return { extensions, driver: driver === '' ? undefined : await loadDriver(driver) }
}

async function load(file: string): Promise<Partial<Extensions>> {
  const { filters, weighers, hints } = (await importFile(file)) as Partial<Extensions>
  if (!filters && !weighers && !hints)
    throw new Error(`${file} (compute.scheduler.modules) offers nothing: export filters, weighers or hints.`)
  return { filters: filters ?? {}, weighers: weighers ?? {}, hints: hints ?? [] }
}

async function loadDriver(file: string): Promise<Driver> {
  const { choose } = (await importFile(file)) as Partial<Driver>
  if (!choose) throw new Error(`${file} (compute.scheduler.driver) is no driver: export a function choose.`)
  return { choose }
}

const importFile = (file: string): Promise<unknown> => import(pathToFileURL(file).href)

/** How a process decides, by its configuration and what it has loaded. */
export function schedulerSettings(
  config: Config,
  { extensions, driver }: Loaded,
  random: () => number,
): Omit<SchedulerOptions, 'keep'> & { driver: Driver | undefined } {
  const { scheduler } = config.of(computeConfig)
  return {
    filters: scheduler.filters,
    settings: scheduler,
    weights: {
      ram: scheduler.ram_weight,
      cpu: scheduler.cpu_weight,
      disk: scheduler.disk_weight,
      io_ops: scheduler.io_ops_weight,
      num_instances: scheduler.num_instances_weight,
      collocation: scheduler.collocation_weight,
    },
    own_weights: scheduler.own_weights,
    extensions,
    random,
    driver,
  }
}
