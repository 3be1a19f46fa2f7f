/** Threads that run files of ours. */
import { Worker, type WorkerOptions } from 'node:worker_threads'

const hooks = new URL('../module-hooks.mjs', import.meta.url).href

/** Node reads our files by our own hooks where they are an npm package, and a thread has those of its process only when flags name them. */
export function startThread(file: URL, options: WorkerOptions): Worker {
  const isPackage = import.meta.url.includes('/node_modules/')
  return new Worker(file, { ...options, ...(isPackage && { execArgv: [...process.execArgv, '--import', hooks] }) })
}
