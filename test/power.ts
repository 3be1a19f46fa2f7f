/** A disk that loses all that was not synced when its power goes, with a SQLite file on it. */
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '../src/kernel/db/database.ts'
import { openSqlite } from '../src/kernel/db/sqlite.ts'

const never = new Promise<never>(() => {})
const parts = ['', '-wal']

export interface FrailDisk extends AsyncDisposable {
  /** The database as the last power cut has left it; at first an empty one. */
  open(): Database
  /** The power goes at a sync, after so many more; resolves then. Whoever waits for that sync, or a later one, hears nothing any more. */
  cutAfter(syncs: number): Promise<void>
}

export function frailDisk(): FrailDisk {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-power-'))
  const opened: Database[] = []
  const safe = join(folder, 'safe.db')
  let file = ''
  let cut: { left: number; reached: PromiseWithResolvers<void> } | undefined

  /** No more than this is on the disk for certain. */
  function keep(): void {
    for (const part of parts) copyFileSync(file + part, safe + part)
  }
  return {
    open() {
      file = join(folder, `${opened.length}.db`)
      if (cut) for (const part of parts) renameSync(safe + part, file + part)
      cut = undefined
      let isDark = false
      const database = openSqlite(file, {
        async sync() {
          isDark ||= cut?.left === 0
          if (isDark) {
            cut?.reached.resolve()
            return never
          }
          if (!cut) return
          cut.left--
          keep()
        },
      })
      opened.push(database)
      return database
    },
    cutAfter(syncs) {
      // Who asks has waited for all that it did before.
      keep()
      cut = { left: syncs, reached: Promise.withResolvers() }
      return cut.reached.promise
    },
    async [Symbol.asyncDispose]() {
      for (const database of opened) await database[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}
