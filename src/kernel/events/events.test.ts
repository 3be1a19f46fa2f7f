/** Stories of the log of events: nothing is told twice, nothing is left out, what is old is forgotten. */
import assert from 'node:assert/strict'
import pg from 'pg'
import { onEachEngine } from '../../../test/engines.ts'
import { testCloud } from '../../../test/harness.ts'
import { virtualClock } from '../clock.ts'
import { systemCtx } from '../context.ts'
import { beginning, expireEvents, type Position, positionOf, positionText } from './events.ts'

onEachEngine('a reader that remembers its place gets each event once, in order', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  for (let n = 0; n < 7; n++) await ctx.events.emit(ctx, n === 3 ? 'story.other' : 'story.one', null, { n })
  const seen: unknown[] = []
  let place: Position = beginning
  for (;;) {
    const found = await ctx.events.since(ctx, place, { limit: 2, types: ['story.on*'] })
    if (found.length === 0) break
    seen.push(...found.map(event => event.payload.n))
    place = positionOf(positionText(found.at(-1)!))!
  }
  assert.deepEqual(seen, [0, 1, 2, 4, 5, 6])
  const last = await ctx.events.before(ctx, undefined, { limit: 2, types: ['story.other', 'story.one'] })
  assert.deepEqual(
    last.map(event => event.payload.n),
    [6, 5],
  )
  assert.equal(positionOf('1.2; drop'), undefined)
})

onEachEngine('what a transaction tells that ends late is not passed over', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  const [begun, may] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const late = ctx.transaction(async tx => {
    await tx.events.emit(tx, 'story.late', null, {})
    begun.resolve()
    // SQLite has one writer: there nobody else gets in between.
    if (database.engine === 'postgres') await may.promise
  })
  await begun.promise
  const other = systemCtx(cloud.env)
  await other.events.emit(other, 'story.early', null, {})
  const first = await other.events.since(other, beginning, { limit: 10, types: ['story.*'] })
  may.resolve()
  await late
  const rest = await other.events.since(other, first.at(-1) ?? beginning, { limit: 10, types: ['story.*'] })
  assert.deepEqual([...first, ...rest].map(event => event.type).sort(), ['story.early', 'story.late'])
})

onEachEngine('a long transaction in another database of the server holds nothing up', async database => {
  await using cloud = await testCloud({ database })
  const ctx = cloud.ctx()
  const elsewhere = database.engine === 'postgres' ? new pg.Client(process.env.NEPHOS_TEST_POSTGRES) : undefined
  await elsewhere?.connect()
  await elsewhere?.query('begin')
  await elsewhere?.query('select pg_current_xact_id()')
  try {
    await ctx.events.emit(ctx, 'story.one', null, {})
    const found = await ctx.events.since(ctx, beginning, { limit: 10, types: ['story.*'] })
    assert.deepEqual(
      found.map(event => event.type),
      ['story.one'],
    )
  } finally {
    await elsewhere?.end()
  }
})

onEachEngine('events that are rolled back are never told; old ones are forgotten', async database => {
  const clock = virtualClock()
  await using cloud = await testCloud({ database, clock })
  const ctx = cloud.ctx()
  const heard: unknown[] = []
  cloud.env.bus.subscribe('notifications.*', payload => heard.push((payload as { event_type: string }).event_type))
  await assert.rejects(
    ctx.transaction(async tx => {
      await tx.events.emit(tx, 'story.undone', null, {})
      throw new Error('no')
    }),
  )
  await ctx.events.emit(ctx, 'story.old', null, {})
  await clock.advance(1000)
  await ctx.events.emit(ctx, 'story.new.error', 'x', {})
  assert.equal(await expireEvents(database.root, new Date(clock.now() - 500).toISOString()), 1)
  const left = await ctx.events.since(ctx, beginning, { limit: 10, types: ['story.*'] })
  assert.deepEqual(
    left.map(event => event.type),
    ['story.new.error'],
  )
  assert.deepEqual(heard, ['story.old', 'story.new.error'])
})
