/** The types of `nephos/testing`. */
import type { StartOptions, TestCloud } from './controls.ts'

export type * from './controls.ts'

/** Starts an isolated cloud in this process, on a port of its own; it is ready when the promise resolves. */
export declare function startCloud(options?: StartOptions): Promise<TestCloud>
