/** Hashes bytes that go by and are kept nowhere, in a thread, so that others need not wait. */
import { startThread } from '#kernel/threads.ts'

/** Bytes that may wait for the thread. */
const ahead = 4 * 1024 * 1024

export interface StreamHasher extends AsyncDisposable {
  /** Takes a piece, which nobody else may use any more; waits while the thread has enough. */
  update(piece: Buffer): Promise<void>
  /** In hexadecimal, in the order of the algorithms. */
  digests(): Promise<string[]>
}

export function streamHasher(algorithms: readonly string[]): StreamHasher {
  const worker = startThread(new URL('./stream-hash-worker.mjs', import.meta.url), algorithms)
  let waiting = 0
  let go = () => {}
  const end = Promise.withResolvers<string[]>()
  // Who waits for it is told; until then nobody does.
  end.promise.catch(() => {})
  worker.on('message', ({ done = 0, digests }: { done?: number; digests?: string[] }) => {
    waiting -= done
    if (digests) end.resolve(digests)
    if (waiting < ahead) go()
  })
  let gone = false
  const ended = (error: Error) => {
    gone = true
    end.reject(error)
    go()
  }
  worker.once('error', ended)
  worker.once('exit', () => ended(new Error('the thread that hashes an image ended early')))
  return {
    async update(piece) {
      waiting += piece.length
      const own = piece.byteLength === piece.buffer.byteLength ? piece : new Uint8Array(piece)
      worker.postMessage(own, [own.buffer as ArrayBuffer])
      if (waiting < ahead) return
      // No race with the end: a promise that lasts as long as the image would keep something of each.
      if (!gone) await new Promise<void>(done => (go = done))
      if (gone) await end.promise
    },
    digests() {
      worker.postMessage(null)
      return end.promise
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate()
    },
  }
}
