/** The first cloud of a process, in a process of its own: prints the milliseconds until it is ready, of the clock and of the CPU, without those of loading modules. */
import { startCloud } from '../../src/simulated/start-cloud.ts'

const began = performance.now()
const busy = process.cpuUsage()
await using _cloud = await startCloud()
const { user, system } = process.cpuUsage(busy)
console.log(JSON.stringify({ ms: performance.now() - began, cpu: (user + system) / 1000 }))
