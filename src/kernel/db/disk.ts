/** Brings what SQLite has committed onto the disk beside the event loop. All that is committed while one sync goes on shares the next. */
import type { Worker } from 'node:worker_threads'
import { messageOf } from '../errors.ts'
import { startThread } from '../threads.ts'
import { breather } from './breather.ts'
import { DatabaseOutage } from './outage.ts'

/** Resolves when all that was written before it was called is on the disk. */
export type Sync = () => Promise<void>

export interface Disk {
  /** To be called after each commit that changed something. */
  committed(): void
  /** To be awaited before anybody learns of what was read or written: undefined when all that was committed is on the disk. */
  reached(): Promise<void> | undefined
}

/**
 * When a sync has failed, `reached` fails from then on, with `DatabaseOutage`: what the system could not write it may forget, and a second sync
 * would say that all is well.
 */
export function diskOf(sync: Sync): Disk {
  const breathe = breather()
  let underWay: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function begin(): Promise<void> {
    underWay = next
    next = undefined
    try {
      await sync()
    } catch (cause) {
      const what = 'the disk did not take what was committed'
      throw new DatabaseOutage(
        new Error(`${what}: look at it, then start the cloud anew (${messageOf(cause)})`, { cause }),
      )
    }
    underWay = undefined
  }
  return {
    committed() {
      if (next) return
      next = (underWay ?? Promise.resolve()).then(begin)
      // Those who wait are told.
      next.catch(() => {})
    },
    reached: () => (next ?? underWay)?.then(breathe.woken),
  }
}

/** Syncs a SQLite file's log, one sync at a time, in a thread of its own: those that all share are busy with passwords and images. */
export function diskThread(file: string): { sync: Sync; end(): Promise<void> } {
  let thread: Worker | undefined
  let asked = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()

  function begin(): Worker {
    const begun = startThread(new URL('./disk-thread.mjs', import.meta.url), file)
    begun.on('message', () => {
      begun.unref()
      asked.resolve()
    })
    begun.on('error', error => asked.reject(error))
    begun.on('exit', () => {
      asked.reject(new Error('the thread that syncs the database has ended'))
      over.resolve()
    })
    return begun
  }
  return {
    sync() {
      thread ??= begin()
      asked = Promise.withResolvers()
      // The process stays for it, and for nothing else of the thread.
      thread.ref()
      thread.postMessage('sync')
      return asked.promise
    },
    async end() {
      if (!thread) return
      thread.ref()
      thread.postMessage('end')
      await over.promise
    },
  }
}
