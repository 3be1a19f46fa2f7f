/** A SQLite file of several processes: each has a connection of its own. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { openSqlite } from './sqlite.ts'

const write = (db: Db, word: string) => sql`insert into test_words values (${word})`.execute(db)

test('who wants to write while another process does waits, and its event loop goes on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-shared-'))
  try {
    await using one = openSqlite(join(folder, 'shared.db'))
    await using other = openSqlite(join(folder, 'shared.db'))
    await sql`create table test_words (word text)`.execute(one.root)
    const ways: [string, (word: string) => Promise<unknown>][] = [
      ['in a transaction', word => other.transaction(tx => write(tx, word))],
      ['outside of one', word => write(other.root, word)],
    ]
    for (const [way, writeToo] of ways) {
      const began = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const first = one.transaction(async tx => {
        await write(tx, `first ${way}`)
        began.resolve()
        await release.promise
      })
      await began.promise
      const second = writeToo(`second ${way}`)
      // A process that waited inside of SQLite would never come here.
      setImmediate(release.resolve)
      await Promise.all([first, second])
    }
    const { rows } = await sql<{ word: string }>`select word from test_words order by rowid`.execute(other.root)
    assert.deepEqual(
      rows.map(({ word }) => word),
      ['first in a transaction', 'second in a transaction', 'first outside of one', 'second outside of one'],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
