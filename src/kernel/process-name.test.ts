/** Who has a name on the bus. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inProcessBus } from './bus/in-process.ts'
import { virtualClock } from './clock.ts'
import { silentLog } from './log.ts'
import { takeName } from './process-name.ts'

test('a name has one process at a time, also when several ask for it at once', async () => {
  const clock = virtualClock()
  const bus = inProcessBus(clock, silentLog())
  const take = async (...processes: string[]) => {
    const taken = processes.map(own => takeName(bus, 'node.one', own))
    await clock.advance(1000)
    const names = await Promise.all(taken)
    return { names, who: processes.filter((_, at) => names[at] !== undefined) }
  }
  const first = await take('b', 'a', 'c')
  assert.deepEqual(first.who, ['a'])
  assert.deepEqual((await take('0')).who, [], 'whoever has it keeps it')
  for (const name of first.names) await name?.[Symbol.asyncDispose]()
  assert.deepEqual((await take('c', 'b')).who, ['b'])
})

test('of two that ask one after the other, while neither has it, one gets it', async () => {
  for (const [early, late] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const clock = virtualClock()
    const bus = inProcessBus(clock, silentLog())
    const first = takeName(bus, 'n', early)
    await clock.advance(200)
    const second = takeName(bus, 'n', late)
    await clock.advance(1000)
    const found = await Promise.all([first, second])
    assert.equal(found.filter(one => one !== undefined).length, 1, `${early} before ${late}`)
  }
})
