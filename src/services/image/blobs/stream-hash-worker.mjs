/** A thread that hashes the pieces that it is given, and says how much of them it has done. In plain JavaScript: see hash-worker.mjs. */
import { createHash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'

const hashes = workerData.map(algorithm => createHash(algorithm))

parentPort.on('message', piece => {
  if (piece === null) {
    parentPort.postMessage({ digests: hashes.map(hash => hash.digest('hex')) })
    return parentPort.close()
  }
  for (const hash of hashes) hash.update(piece)
  parentPort.postMessage({ done: piece.length })
})
