/** Stories of the way to the disk: who learns of what was committed, and when. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Database, Db } from './database.ts'
import { DatabaseOutage } from './outage.ts'
import { openSqlite } from './sqlite.ts'

/** A database whose syncs end when the story says so. */
async function onSlowDisk(story: (database: Database, syncs: PromiseWithResolvers<void>[]) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-disk-'))
  const syncs: PromiseWithResolvers<void>[] = []
  let isSlow = false
  try {
    await using database = openSqlite(join(folder, 'slow.db'), {
      async sync() {
        if (!isSlow) return
        const one = Promise.withResolvers<void>()
        syncs.push(one)
        await one.promise
      },
    })
    await sql`create table test_words (word text)`.execute(database.root)
    isSlow = true
    await story(database, syncs)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const write = (db: Db, word: string) => sql`insert into test_words values (${word})`.execute(db)
const count = (db: Db) => sql`select count(*) from test_words`.execute(db)
const nothing = (db: Db) => sql`delete from test_words where word = 'none'`.execute(db)

/** What has ended, in its order. */
function watched() {
  const ended: string[] = []
  return { ended, watch: (name: string, work: Promise<unknown>) => work.then(() => void ended.push(name)) }
}

/** Longer than anything takes here that waits for no disk. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn()
}

test('nobody learns of what is not on the disk; what is committed meanwhile shares the next sync', () =>
  onSlowDisk(async (database, syncs) => {
    const { ended, watch } = watched()
    const all = [watch('first', write(database.root, 'a'))]
    await settled()
    for (const word of ['b', 'c', 'd']) all.push(watch(word, write(database.root, word)))
    all.push(
      watch(
        'in a transaction',
        database.transaction(tx => write(tx, 'e')),
      ),
    )
    all.push(watch('reader', count(database.root)))
    await settled()
    assert.deepEqual([ended, syncs.length], [[], 1])
    syncs[0]!.resolve()
    await settled()
    assert.deepEqual([ended, syncs.length], [['first'], 2])
    syncs[1]!.resolve()
    await Promise.all(all)
    assert.deepEqual([ended.length, syncs.length], [6, 2])
  }))

test('what changes nothing is not synced, and what a transaction reads of itself waits for nothing', () =>
  onSlowDisk(async (database, syncs) => {
    await nothing(database.root)
    await database.transaction(count)
    await assert.rejects(
      database.transaction(async tx => {
        await write(tx, 'a')
        await count(tx)
        throw new Error('given up')
      }),
      /given up/,
    )
    assert.equal(syncs.length, 0)
    const made = sql`create table test_things (thing text)`.execute(database.root)
    const told = sql`insert into test_words values ('b') returning word`.execute(database.root)
    await settled()
    syncs[0]!.resolve()
    await settled()
    syncs[1]!.resolve()
    await Promise.all([made, told])
    assert.equal(syncs.length, 2)
  }))

test('a disk that did not take what was committed is an outage until the cloud starts anew', () =>
  onSlowDisk(async (database, syncs) => {
    const first = write(database.root, 'a')
    await settled()
    const second = write(database.root, 'b')
    syncs[0]!.reject(new Error('EIO: input/output error'))
    await assert.rejects(first, DatabaseOutage)
    await assert.rejects(second, /the disk did not take what was committed: .*start the cloud anew \(EIO/)
    await assert.rejects(count(database.root), DatabaseOutage)
    assert.equal(await database.healthy(), false)
    assert.equal(syncs.length, 1, 'a second sync could say that all is well')
  }))

test('a long log is moved into the file by the thread that syncs it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-disk-'))
  try {
    const file = join(folder, 'long.db')
    await using database = openSqlite(file)
    await sql`create table test_words (word text)`.execute(database.root)
    const megabyte = 'w'.repeat(1_000_000)
    for (let i = 0; i < 5; i++) await write(database.root, megabyte)
    const moved = () => statSync(file).size > 4_000_000
    // It is moved after a sync: with one that comes later at the latest.
    for (let i = 0; i < 100 && !moved(); i++) await write(database.root, 'a')
    assert.ok(moved())
  } finally {
    rmSync(folder, { recursive: true })
  }
})
