/** The database on both engines: rows, transactions, constraints, migrations. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { onEachEngine } from '../../../test/engines.ts'
import { systemClock } from '../clock.ts'
import { type Database, UniqueViolation } from './database.ts'
import { migrate, pendingMigrations } from './migrate.ts'
import { DatabaseOutage, outageOf } from './outage.ts'
import { openPostgres } from './postgres.ts'
import { rows } from './rows.ts'
import { openSqlite } from './sqlite.ts'

interface Thing {
  id: string
  name: string | null
  size: number
  on_shelf: boolean
  labels: string[]
}

const things = rows<Thing>('test_things', { json: ['labels'], bool: ['on_shelf'] })

const sets = [
  {
    owner: 'test',
    migrations: [
      {
        name: '0001-initial',
        up: (db: Parameters<import('./migrate.ts').Migration['up']>[0]) =>
          db.schema
            .createTable('test_things')
            .addColumn('id', 'text', c => c.primaryKey())
            .addColumn('name', 'text', c => c.unique())
            .addColumn('size', 'bigint', c => c.notNull())
            .addColumn('on_shelf', 'integer', c => c.notNull())
            .addColumn('labels', 'text', c => c.notNull())
            .execute(),
      },
    ],
  },
]

const thing = (id: string, patch: Partial<Thing> = {}): Thing => ({
  id,
  name: `n-${id}`,
  size: 1,
  on_shelf: true,
  labels: ['x'],
  ...patch,
})

async function filled(database: Database) {
  await migrate(database, sets)
  await things.insertMany(database.root, [
    thing('a', { size: 3 }),
    thing('b', { size: 5_000_000_000, name: null }),
    thing('c', { on_shelf: false, labels: [] }),
    thing('d', { size: 3 }),
  ])
}

onEachEngine('a row that is there already is left, or changed, and the transaction goes on', async database => {
  await filled(database)
  await database.transaction(async db => {
    assert.equal(await things.insertNew(db, thing('a', { size: 9 })), false)
    assert.equal(await things.insertNew(db, thing('e', { name: 'n-a' })), false, 'its name is taken')
    assert.equal(await things.insertNew(db, thing('e')), true)
    await things.put(db, ['id'], [thing('c', { labels: ['y'] }), thing('f')])
  })
  const found = await things.list(
    database.root,
    { id: ['a', 'c', 'e', 'f'] },
    { orderBy: [{ column: 'id', direction: 'asc' }] },
  )
  assert.deepEqual(
    found.map(({ id, size, labels }) => [id, size, labels]),
    [
      ['a', 3, ['x']],
      ['c', 1, ['y']],
      ['e', 1, ['x']],
      ['f', 1, ['x']],
    ],
  )
})

onEachEngine('rows come back as they went in', async database => {
  await filled(database)
  assert.deepEqual(
    { ...(await things.find(database.root, { id: 'b' })) },
    thing('b', { size: 5_000_000_000, name: null }),
  )
  assert.deepEqual(
    { ...(await things.find(database.root, { on_shelf: false })) },
    thing('c', { on_shelf: false, labels: [] }),
  )
  assert.equal(await things.find(database.root, { id: 'nothing' }), undefined)
})

onEachEngine('a column that was added since is read too', async database => {
  await filled(database)
  const before = await things.find(database.root, { id: 'a' })
  await sql`alter table test_things add column colour text`.execute(database.root)
  assert.deepEqual({ ...(await things.find(database.root, { id: 'a' })) }, { ...before, colour: null })
})

onEachEngine('conditions: null, lists, comparisons, an empty list matches nothing', async database => {
  await filled(database)
  const ids = async (where: Parameters<typeof things.list>[1]) =>
    (await things.list(database.root, where, { orderBy: [{ column: 'id', direction: 'asc' }] })).map(t => t.id)
  assert.deepEqual(await ids({ name: null }), ['b'])
  assert.deepEqual(await ids({ id: ['a', 'c'] }), ['a', 'c'])
  const before = database.statements()
  assert.deepEqual(await ids({ id: [] }), [])
  assert.equal(await things.update(database.root, { id: [] }, { size: 0 }), 0)
  assert.equal(await things.remove(database.root, { id: [] }), 0)
  assert.equal(database.statements(), before, 'nothing can match, so nothing is asked')
  assert.deepEqual(await ids({ size: { op: '>', value: 1 } }), ['a', 'b', 'd'])
  assert.deepEqual(await ids({ name: { op: '!=', value: null } }), ['a', 'c', 'd'])
  assert.equal(await things.count(database.root, { size: 3 }), 2)
})

onEachEngine('long lists find, leave out and delete as short ones do', async database => {
  await filled(database)
  const many = (...ids: string[]) => [...ids, ...Array.from({ length: 5000 }, (_, i) => `none-${i}`)]
  const ids = async (where: Parameters<typeof things.list>[1]) =>
    (await things.list(database.root, where, { orderBy: [{ column: 'id', direction: 'asc' }] })).map(row => row.id)
  assert.deepEqual(await ids({ id: many('a', 'c') }), ['a', 'c'])
  assert.deepEqual(await ids({ id: { op: 'not in', value: many('a', 'c') } }), ['b', 'd'])
  assert.deepEqual(await ids({ size: [...Array(20).keys()] }), ['a', 'c', 'd'])
  assert.deepEqual(await ids({ on_shelf: [...Array(9).fill(true), false] }), ['a', 'b', 'c', 'd'])
  assert.equal(await things.remove(database.root, { id: many('a', `it's "b"`) }), 1)
})

onEachEngine('paging by any column, with ties and nulls, misses and repeats nothing', async database => {
  await filled(database)
  for (const column of ['size', 'name', 'id'] as const) {
    for (const direction of ['asc', 'desc'] as const) {
      const orderBy = [
        { column, direction },
        { column: 'id' as const, direction: 'asc' as const },
      ]
      const whole = (await things.list(database.root, {}, { orderBy })).map(t => t.id)
      const paged: string[] = []
      let after: Thing | undefined
      for (;;) {
        const [next] = await things.list(database.root, {}, { orderBy, limit: 1, ...(after && { after }) })
        if (!next) break
        paged.push(next.id)
        after = next
      }
      assert.deepEqual(paged, whole, `${column} ${direction}`)
      const last = await things.find(database.root, { id: whole.at(-1)! })
      const before = await things.list(database.root, {}, { orderBy, limit: 2, before: last! })
      assert.deepEqual(
        before.map(t => t.id),
        whole.slice(1, 3),
        `before, ${column} ${direction}`,
      )
    }
  }
})

onEachEngine('a failed transaction leaves nothing, and unique constraints have a name', async database => {
  await filled(database)
  const failed = database.transaction(async tx => {
    await things.insert(tx, thing('e'))
    await things.insert(tx, thing('f', { name: 'n-a' }))
  })
  await assert.rejects(failed, (error: unknown) => error instanceof UniqueViolation && /name/.test(error.constraint))
  assert.equal(await things.find(database.root, { id: 'e' }), undefined)
})

onEachEngine('compare-and-set says who won', async database => {
  await filled(database)
  const both = await Promise.all(
    [1, 2].map(n => database.transaction(tx => things.update(tx, { id: 'a', size: 3 }, { size: 10 + n }))),
  )
  assert.deepEqual(both.sort(), [0, 1])
})

onEachEngine('the root database inside a transaction is an error, not a deadlock', async database => {
  await filled(database)
  await assert.rejects(
    database.transaction(async () => things.count(database.root)),
    /inside a transaction/,
  )
})

onEachEngine('migrations run once', async database => {
  assert.deepEqual(await pendingMigrations(database, sets), ['test/0001-initial'])
  assert.deepEqual(await migrate(database, sets), ['test/0001-initial'])
  assert.deepEqual(await migrate(database, sets), [])
})

onEachEngine('a condition left open finds, changes and deletes nothing', async database => {
  await filled(database)
  const open = { id: undefined }
  await assert.rejects(things.find(database.root, open), /"id" is undefined/)
  await assert.rejects(things.update(database.root, open, { size: 0 }), /"id" is undefined/)
  await assert.rejects(things.remove(database.root, open), /"id" is undefined/)
  assert.equal((await things.list(database.root, open)).length, await things.count(database.root))
})

onEachEngine('a transaction that the engine has rolled back by itself fails for its own reason', async database => {
  const diskFull = database.transaction(async tx => {
    await sql`rollback`.execute(tx)
    throw new Error('the disk is full')
  })
  await assert.rejects(diskFull, /the disk is full/)
  assert.equal(await database.transaction(async () => 'the next one works'), 'the next one works')
})

test('a chain of statements lets the event loop turn, inside a transaction too', async () => {
  await using database = openSqlite(':memory:', { breathes: true })
  let turns = 0
  const tick = () => {
    if (++turns < 3) setImmediate(tick)
  }
  setImmediate(tick)
  await database.transaction(async tx => {
    for (let i = 0; i < 1_000_000 && turns < 3; i++) await sql`select 1`.execute(tx)
  })
  assert.equal(turns, 3)
})

test('those who wait for the one connection get it in their order, one after a transaction that failed too', async () => {
  await using database = openSqlite(':memory:')
  const order: number[] = []
  const taking = Array.from({ length: 100 }, (_, i) =>
    database.transaction(async tx => {
      await sql`select 1`.execute(tx)
      order.push(i)
      if (i % 10 === 0) throw new Error('given up')
    }),
  )
  const ended = await Promise.allSettled(taking)
  assert.deepEqual(
    order,
    taking.map((_, i) => i),
  )
  assert.equal(ended.filter(({ status }) => status === 'rejected').length, 10)
  assert.equal(await database.healthy(), true)
})

test('requests that come all at once and take long begin one a turn of the event loop, in their order', async () => {
  await using database = openSqlite(':memory:', { breathes: true })
  const clock = systemClock()
  let turn = 0
  let over = false
  const count = () => {
    turn++
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  const begun: { request: number; turn: number }[] = []
  async function take(request: number): Promise<void> {
    const pause = database.beforeRequest()
    if (pause) await pause
    begun.push({ request, turn })
    for (const began = clock.monotonic(); clock.monotonic() - began < 10; );
  }
  await Promise.all([1, 2, 3, 4, 5].map(take))
  over = true
  assert.deepEqual(
    begun.map(({ request }) => request),
    [1, 2, 3, 4, 5],
  )
  assert.equal(new Set(begun.map(one => one.turn)).size, 5)
})

test('a database for who steers time by turns holds up no request', async () => {
  await using database = openSqlite(':memory:')
  assert.equal(database.beforeRequest(), undefined)
})

test('a full or read-only disk, a broken connection and a server that stops are outages; what was asked wrongly is none', async () => {
  await using database = openSqlite(':memory:')
  await filled(database)
  for (const pragma of ['query_only = on', 'max_page_count = 1']) {
    await sql`pragma ${sql.raw(pragma)}`.execute(database.root)
    const big = thing('e', { name: 'n'.repeat(1_000_000) })
    await assert.rejects(
      database.transaction(tx => things.insert(tx, big)),
      DatabaseOutage,
    )
    await sql`pragma query_only = off`.execute(database.root)
  }
  await assert.rejects(
    sql`select * from no_such_table`.execute(database.root),
    error => !(error instanceof DatabaseOutage),
  )
  const isOutage = (error: object) => outageOf(Object.assign(new Error('x'), error)) instanceof DatabaseOutage
  assert.ok([{ code: '57P01' }, { code: '53100' }, { code: 'ECONNREFUSED' }].every(isOutage))
  assert.ok(isOutage({ message: 'Connection terminated unexpectedly' }))
  assert.ok(![{ code: '23505' }, { code: '42P01' }, {}].some(isOutage))
  const away = openPostgres('postgres://postgres@127.0.0.1:1/postgres')
  await assert.rejects(sql`select 1`.execute(away.root), DatabaseOutage)
  await assert.rejects(
    away.transaction(async () => {}),
    DatabaseOutage,
  )
})
