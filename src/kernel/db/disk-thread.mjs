/**
 * The thread that brings what SQLite has committed onto the disk: it syncs the log when it is told to, and moves what is in a long log into the file.
 * `workerData`: the file.
 */
import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

/** Pages, as SQLite itself has it by default. */
const longLog = 1000

/** What is committed while the log is moved has to be moved as well before the log begins anew. */
const mostTries = 3

const log = openSync(`${workerData}-wal`, 'r+')
const connection = new DatabaseSync(workerData)
connection.exec('pragma synchronous = normal')
const look = connection.prepare('pragma wal_checkpoint(noop)')
const move = connection.prepare('pragma wal_checkpoint(passive)')

function shorten() {
  for (let tried = 0; tried < mostTries; tried++) {
    const { log: pages, checkpointed } = look.get()
    if (pages - checkpointed < (tried === 0 ? longLog : 1)) return
    move.get()
  }
}

parentPort.on('message', order => {
  if (order === 'end') {
    connection.close()
    closeSync(log)
    parentPort.close()
    return
  }
  // What fails here ends the thread: whoever began it is told.
  fdatasyncSync(log)
  parentPort.postMessage(null)
  try {
    shorten()
  } catch {
    // On a full disk, say: the log has it all, and after the next sync it is tried again.
  }
})
