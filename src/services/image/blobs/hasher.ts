/** Hashes what is written to a file: here while it is little, in a thread of its own from a size on, so that others need not wait. */
import { createHash } from 'node:crypto'
import type { Worker } from 'node:worker_threads'
import { startThread } from '#kernel/threads.ts'

/** What the thread is told: how many bytes are in the file, and whether more will come. */
interface Reached {
  size: number
  end: boolean
}

export interface Hashes {
  md5: string
  sha512: string
}

/** Bytes that are hashed here. Starting a thread costs about as much as hashing them. */
const little = 8 * 1024 * 1024
/** Bytes between two words to the thread. */
const step = 4 * 1024 * 1024

export interface Hasher extends AsyncDisposable {
  /** To be called with each piece, in order. `written` is how much of all is in the file by now. */
  update(piece: Buffer, written: number): void
  /** The hashes of all, once the file is whole. */
  digest(size: number): Promise<Hashes>
}

export function hasherOf(path: string, here = little): Hasher {
  const [md5, sha512] = [createHash('md5'), createHash('sha512')]
  let seen = 0
  let told = 0
  let worker: Worker | undefined
  let answer: Promise<Hashes> | undefined
  const tell = (reached: Reached) => worker?.postMessage(reached)
  function start(): void {
    worker = startThread(new URL('./hash-worker.mjs', import.meta.url), path)
    worker.unref()
    answer = new Promise((done, failed) => {
      worker!.once('message', done)
      worker!.once('error', failed)
      worker!.once('exit', () => failed(new Error('the thread that hashes an image ended early')))
    })
    // Who waits for it is told; until then nobody does.
    answer.catch(() => {})
  }
  return {
    update(piece, written) {
      seen += piece.length
      if (worker) {
        if (written - told < step) return
        told = written
        tell({ size: written, end: false })
      } else {
        md5.update(piece)
        sha512.update(piece)
        if (seen >= here) start()
      }
    },
    async digest(size) {
      if (!worker) return { md5: md5.digest('hex'), sha512: sha512.digest('hex') }
      worker.ref()
      tell({ size, end: true })
      return answer!
    },
    async [Symbol.asyncDispose]() {
      await worker?.terminate()
    },
  }
}

/** Hashes a file that is whole, in a thread. */
export async function hashFile(path: string, size: number): Promise<Hashes> {
  await using hasher = hasherOf(path, 0)
  hasher.update(Buffer.alloc(0), 0)
  return await hasher.digest(size)
}
