/** A thread that hashes a file while it is written: it is told how far that is, and gives the hashes at the end. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

export interface Reached {
  /** So many bytes are in the file. */
  size: number
  /** There will be no more. */
  end: boolean
}

export interface Hashes {
  md5: string
  sha512: string
}

const port = parentPort
if (port) {
  const file = openSync(workerData as string, 'r')
  const [md5, sha512] = [createHash('md5'), createHash('sha512')]
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  let done = 0
  port.on('message', ({ size, end }: Reached) => {
    while (done < size) {
      const read = readSync(file, buffer, 0, Math.min(buffer.length, size - done), done)
      if (read === 0) throw new Error('the file is shorter than what was written to it')
      md5.update(buffer.subarray(0, read))
      sha512.update(buffer.subarray(0, read))
      done += read
    }
    if (!end) return
    closeSync(file)
    port.postMessage({ md5: md5.digest('hex'), sha512: sha512.digest('hex') } satisfies Hashes)
    port.close()
  })
}
