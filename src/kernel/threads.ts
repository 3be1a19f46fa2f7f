/** Threads that run files of ours. */
import { Worker } from 'node:worker_threads'

const hooks = new URL('../module-hooks.mjs', import.meta.url).href

/**
 * With little memory, and none of what the process loads first: but where our files are an npm package, Node reads them by our own hooks, which a
 * thread has only when flags name them.
 */
export function startThread(file: URL, workerData: unknown): Worker {
  const isPackage = import.meta.url.includes('/node_modules/')
  return new Worker(file, {
    workerData,
    execArgv: isPackage ? [...process.execArgv, '--import', hooks] : [],
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 },
  })
}
