/** A command is not left in the midst of its work. */
import { keepAlive } from '#kernel/clock.ts'

/** Keeps the process alive meanwhile: what the work waits for may be a timer, and those keep none alive. */
export async function toItsEnd<T>(work: Promise<T>): Promise<T> {
  using _alive = keepAlive()
  return await work
}
