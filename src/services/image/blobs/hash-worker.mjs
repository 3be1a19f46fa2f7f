/**
 * A thread that hashes a file while it is written: it is told how far that is, and gives the hashes at the end.
 * In plain JavaScript, and without imports of ours: a thread that has to read TypeScript takes several times the memory.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

const file = openSync(workerData, 'r')
const [md5, sha512] = [createHash('md5'), createHash('sha512')]
const buffer = Buffer.allocUnsafeSlow(256 * 1024)
let done = 0

parentPort.on('message', ({ size, end }) => {
  while (done < size) {
    const read = readSync(file, buffer, 0, Math.min(buffer.length, size - done), done)
    if (read === 0) throw new Error('the file is shorter than what was written to it')
    md5.update(buffer.subarray(0, read))
    sha512.update(buffer.subarray(0, read))
    done += read
  }
  if (!end) return
  closeSync(file)
  parentPort.postMessage({ md5: md5.digest('hex'), sha512: sha512.digest('hex') })
  parentPort.close()
})
